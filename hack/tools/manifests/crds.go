//go:build tools

// Package manifests pins the tools that check manifests, and the modules with the CRDs of the
// Gateway API and of the Prometheus Operator that manifests use.
package manifests

import (
	_ "github.com/prometheus-operator/prometheus-operator/pkg/versionutil"
	_ "sigs.k8s.io/gateway-api/apis/v1"
)
