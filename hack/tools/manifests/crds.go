//go:build tools

// Package manifests pins the tools that check manifests, and the kinds of others that manifests use: the CRDs of the Gateway API
// and of the Prometheus Operator come with their modules.
package manifests

import (
	_ "github.com/prometheus-operator/prometheus-operator/pkg/versionutil"
	_ "sigs.k8s.io/gateway-api/apis/v1"
)
