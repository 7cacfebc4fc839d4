//go:build tools

// Package manifests pins the tools that check manifests, and the kinds of others that examples use: the CRDs of the Gateway API
// come with its module.
package manifests

import _ "sigs.k8s.io/gateway-api/apis/v1"
