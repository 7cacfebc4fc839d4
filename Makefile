# `make help` lists what there is. Everything that is built goes to bin/.
SHELL := /usr/bin/env bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# The version is given by ldflags; looking into git as well would fail where the checkout belongs to someone else.
export GOFLAGS := $(GOFLAGS) -buildvcs=false

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X main.version=$(VERSION)

# The image that docker-build makes and deploy installs.
IMG ?= wechatpay-operator:dev
# What deploy and build-installer install: config/default or one of config/overlays.
KUSTOMIZATION ?= config/default
# The public address of callbacks, such as https://pay.example.com; empty leaves it to each Merchant's spec.notifyBaseURL.
NOTIFY_BASE_URL ?=
KUBECTL ?= $(shell command -v kubectl || echo bin/k8s/kubectl)
DOCKER ?= docker

# How many second cuts make chaos tries after each first one.
PAIRS ?= 1

# The race detector needs a C compiler.
RACE ?= $(if $(shell command -v $${CC:-gcc} || command -v clang),-race,)
TESTFLAGS ?=
# Tests of a package at a time: most of them wait, for a watch or a pause, so that more than there are CPUs are no burden.
PARALLEL ?= 6
# Packages at a time, for the same reason: most have a control plane of their own.
PACKAGES ?= 3
SOAKFLAGS ?=
TEST_MODULES := . hack/tools hack/tools/dockerfile examples/order-desk $(patsubst %/go.mod,%,$(wildcard test/interop/go.mod test/browser/go.mod))
LINT_MODULES := $(TEST_MODULES)
TIDY_MODULES := $(LINT_MODULES) $(addprefix hack/tools/,golangci-lint kube-score manifests promtool) hack/controlplane

# Tools are built once for each state of their modules, whatever git does to the time stamps of files.
stamp = $(shell cat $(1)/go.mod $(1)/go.sum | git hash-object --stdin | cut -c1-12)
TOOLS := bin/tools/$(call stamp,hack/tools)
GOLANGCI_LINT := bin/tools/$(call stamp,hack/tools/golangci-lint)/golangci-lint

PROMTOOL := bin/tools/$(call stamp,hack/tools/promtool)/promtool
MANIFEST_TOOLS := bin/tools/$(call stamp,hack/tools/manifests)
KUBE_SCORE := bin/tools/$(call stamp,hack/tools/kube-score)/kube-score

CHART := config/helm/wechatpay-operator
# Every folder that kustomize builds, and those of them that are installations.
INSTALLATIONS := config/default $(patsubst %/,%,$(wildcard config/overlays/*/))
KUSTOMIZATIONS := config/crd config/rbac config/policy config/manager config/network-policy config/console $(INSTALLATIONS) \
  config/components/example config/prometheus config/samples config/samples/callbacks config/samples/console config/samples/ingress \
  examples/storefront/deploy \
  $(patsubst %/kustomization.yaml,%,$(wildcard examples/order-desk/deploy/kustomization.yaml examples/order-desk/deploy/*/kustomization.yaml))

GO_FOLDERS := $(wildcard *.go) $(wildcard api cmd controllers examples hack internal test webhookserver)

##@ Try it

.PHONY: demo
demo: control-plane ## Show the operator at work on a real control plane, and check every step.
	@go build -o bin/demo ./hack/demo
	@bin/demo

.PHONY: run
run: control-plane ## The same, then stay up until Ctrl-C.
	@go build -o bin/demo ./hack/demo
	@bin/demo --keep

.PHONY: control-plane
control-plane: ## Build kube-apiserver, etcd and kubectl into bin/k8s, unless they are there.
	@hack/controlplane/build.sh

##@ Develop

.PHONY: build
build: ## Build the operator: bin/manager.
	CGO_ENABLED=0 go build -trimpath -ldflags "$(LDFLAGS)" -o bin/manager .

.PHONY: plugin
plugin: ## Build the kubectl plugin: bin/kubectl-wechatpay. With bin in PATH it is kubectl wechatpay.
	CGO_ENABLED=0 go build -trimpath -ldflags "$(LDFLAGS)" -o bin/kubectl-wechatpay ./cmd/kubectl-wechatpay
	@cp cmd/kubectl-wechatpay/kubectl_complete-wechatpay bin/

.PHONY: test
test: export HELM := $(CURDIR)/$(MANIFEST_TOOLS)/helm
# Fewer garbage collections, of the compiler and of all processes of the tests: some 8 % of their CPU time, for more memory.
test: export GOGC ?= 400
test: control-plane $(MANIFEST_TOOLS)/helm ## Run all tests, on a real control plane where they need one; those of controllers and callbacks with V2 and with V3.
	@CGO_ENABLED=0 go -C hack/tools build -o ../../bin/testsummary ./testsummary
	@$(if $(RACE),,echo "No C compiler: the tests run without the race detector.")
	@mkdir -p bin/results
	@bin/testsummary -summary bin/results/test -also "TEST_PROTOCOL=V3 ./controllers ./webhookserver" $(TEST_MODULES) -- -timeout 30m -p $(PACKAGES) -parallel $(PARALLEL) $(RACE) $(TESTFLAGS) ./...

.PHONY: printer-tools
printer-tools: ## Install the IPP printer and the browser that examples/order-desk is tested with (Debian); make test skips those tests without them.
	@examples/order-desk/test/install-printer.sh

.PHONY: interop-axios
interop-axios: test/interop/axios/node_modules/.package-lock.json ## Test the simulator with WeChat Pay's client for Node.js, which make frontends installs too; make test skips it without.
	@go -C test/interop test -count=1 -run 'Axios' -v .

# Each is installed again when its lock file has changed, and built each time. No package fetches a browser, and none runs a script.
FRONTENDS := miniprogram taro h5

.PHONY: frontends
frontends: export PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD := 1
frontends: export PUPPETEER_SKIP_DOWNLOAD := 1
frontends: $(FRONTENDS:%=examples/%/node_modules/.package-lock.json) web/node_modules/.package-lock.json test/interop/axios/node_modules/.package-lock.json ## Install and build examples/miniprogram, taro and h5, and install web and the Node.js client of test/interop, which make test then tests; it needs Node.js.
	@mkdir -p bin; \
	for example in $(FRONTENDS); do \
	  echo "==> npm run build in examples/$$example"; \
	  npm run build --silent --prefix examples/$$example >bin/frontends.log 2>&1 || { cat bin/frontends.log; exit 1; }; \
	done

examples/%/node_modules/.package-lock.json: examples/%/package-lock.json
	@echo "==> npm ci in examples/$*"
	@npm ci --prefix examples/$* --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

web/node_modules/.package-lock.json test/interop/axios/node_modules/.package-lock.json: %/node_modules/.package-lock.json: %/package-lock.json
	@echo "==> npm ci in $*"
	@npm ci --prefix $* --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

# What internal/console/dist has must be what web/ builds: nobody reviews a bundle. make test compares them where Node.js is.
.PHONY: console
console: web/node_modules/.package-lock.json ## Build the console's page from web/ into internal/console/dist, which is committed and embedded; it needs Node.js.
	@npm run build --silent --prefix web -- --logLevel warn

.PHONY: console-pictures
console-pictures: control-plane console ## Take the pictures of the console in docs/images; it needs Chromium and a Chinese font (fonts-wqy-microhei).
	@UPDATE_PICTURES=1 go -C test/browser test -count=1 -run TestPictures ./console

CONSOLE_ORDERS ?= 10000

.PHONY: console-bench
console-bench: control-plane ## Measure the console's page with CONSOLE_ORDERS Orders in a real Chromium.
	@CONSOLE_ORDERS=$(CONSOLE_ORDERS) go -C test/browser test -count=1 -v -run TestManyOrders ./console | grep many_test

LAG ?= 400ms

.PHONY: test-lagging
test-lagging: ## Run all tests with the operator's watches late by up to LAG: what it does must not hang on how soon it sees a change.
	@TEST_WATCH_LAG=$(LAG) $(MAKE) test TESTFLAGS=-count=1

.PHONY: chaos
chaos: control-plane ## Cut every flow of both protocols at every external effect by every fault, and once more after each; make test tries a part of it.
	@EXPLORE_PROTOCOL=all EXPLORE_RUNS=all EXPLORE_PAIRS=$(PAIRS) go test -v -count=1 -timeout 300m -run TestExplore ./test/chaos

FUZZTIME ?= 1m

.PHONY: fuzz
fuzz: ## Run every fuzz target, one after the other, for FUZZTIME each.
	@grep -rn --include='*_test.go' -o '^func Fuzz[A-Za-z]*' api cmd controllers internal test webhookserver | sed 's|/[^/]*_test.go:.*func | |' | \
	while read -r folder target; do \
	  echo "==> $$target in $$folder"; go test -run='^$$' -fuzz="^$$target\$$" -fuzztime=$(FUZZTIME) "./$$folder" || exit 1; \
	done

BENCHFLAGS ?=

.PHONY: bench
bench: control-plane build ## Measure what the operator costs, beside a bare client: BENCHFLAGS="--only=throughput --orders=10000".
	@go build -o bin/simulator ./cmd/simulator
	@go build -o bin/storefront ./examples/storefront
	@go test -c -o bin/bench ./test/performance
	@bin/bench -test.run='^$$' -test.bench=. -test.benchtime=1x -test.timeout=0 $(BENCHFLAGS)

.PHONY: bench-check
bench-check: ## Hold the figures of the last make bench against test/performance/ranges.yaml.
	@go test -count=1 ./test/performance -args --check

.PHONY: bench-hostile
bench-hostile: ## Measure good callbacks while others attack the callback server: a section of make bench.
	@$(MAKE) bench BENCHFLAGS="--only=hostile $(BENCHFLAGS)"

.PHONY: soak
soak: control-plane ## Kill every process at random for minutes, and judge by WeChat's ledger: SOAKFLAGS="--seed 7 --duration 6m".
	@go build -o bin/soak ./test/soak
	@bin/soak $(SOAKFLAGS)

.PHONY: generate
generate: $(TOOLS)/controller-gen ## Generate the deep copies of api/.
	$(TOOLS)/controller-gen object paths=./api/...

.PHONY: manifests
manifests: $(TOOLS)/controller-gen ## Generate the CRDs from api/, and the operator's role from controllers/.
	@$(call write-crds,config/crd/bases)
	$(TOOLS)/controller-gen rbac:roleName=wechatpay-operator-manager paths=./controllers output:rbac:dir=config/rbac

# write-crds bounds what the markers of Kubernetes' own types leave open. A time or a number that the API server takes and Go does
# not (2026-11-21t20:00:00z) would keep the operator from listing anything of that kind.
define write-crds
$(TOOLS)/controller-gen crd paths=./api/... output:crd:dir=$(1) && \
sed -i -E \
  -e "/^ *format: date-time$$/{N;/\n *pattern:/!s/^( *)(format: date-time)\n/\1\2\n\1pattern: $(TIME_PATTERN)\n/}" \
  -e '/^ *observedGeneration:$$/,/^ *type: integer$$/s/^( *)format: int64$$/&\n\1maximum: 9007199254740991/' \
  $(1)/*.yaml
endef

# RFC 3339 in UTC and whole seconds, as Kubernetes writes times; format date-time knows how many days each month has.
TIME_PATTERN := ^(19[7-9][0-9]|[2-9][0-9]{3})-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z\$$

.PHONY: metricsdoc
metricsdoc: ## Generate docs/metrics.md from the code.
	@go run ./hack/monitoring doc >bin/metrics.md && mv bin/metrics.md docs/metrics.md

.PHONY: apidoc
apidoc: $(TOOLS)/crd-ref-docs ## Generate docs/api.md from api/.
	@$(call write-apidoc,docs/api.md)

# write-apidoc describes every field of the kinds. Markers without a value come with empty braces, which say nothing.
define write-apidoc
$(TOOLS)/crd-ref-docs --source-path=api/v1alpha1 --config=hack/apidoc/config.yaml --renderer=markdown --output-path=$(1) --log-level=ERROR && \
sed -i -e 's/: \\{\\} <br \/>/ <br \/>/g' $(1)
endef

.PHONY: chart-files
chart-files: $(TOOLS)/kustomize ## Copy the kinds, policies and roles into the Helm chart.
	@$(call copy-into-chart,$(CHART)/files)

# copy-into-chart writes what the chart takes over from the kustomize manifests as it is.
define copy-into-chart
mkdir -p $(1); \
for copied in crds:crd policies:policy rbac:rbac callbacks_rbac:overlays/separate-callbacks/rbac namespace_rbac:overlays/single-namespace/rbac; do \
  $(TOOLS)/kustomize build config/$${copied#*:} >$(1)/$${copied%%:*}.yaml; \
done
endef

.PHONY: fmt
fmt: ## Format the code.
	@gofmt -l -w $(GO_FOLDERS)

.PHONY: vet
vet: ## Run go vet.
	@for module in $(LINT_MODULES); do echo "==> go vet in $$module"; go -C $$module vet ./...; done

.PHONY: clean
clean: ## Remove what was built, but for the control plane and the tools.
	find bin -mindepth 1 -maxdepth 1 ! -name k8s ! -name tools -exec rm -rf {} + 2>/dev/null || true

.PHONY: help
help: ## Show this list.
	@awk 'BEGIN { FS = ":.*## " } /^##@/ { printf "\n%s\n", substr($$0, 5) } /^[a-z-]+:.*## / { printf "  %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

##@ Check

.PHONY: lint
lint: lint-format lint-modules lint-generated lint-kustomize lint-manifests lint-alerts lint-image lint-api lint-go ## Check code, formats, modules, generated files and manifests.
	@echo "==> lint passed"

.PHONY: lint-go
lint-go: $(GOLANGCI_LINT)
	@failed=0; \
	for module in $(LINT_MODULES); do \
	  echo "==> golangci-lint in $$module"; \
	  (cd $$module && $(CURDIR)/$(GOLANGCI_LINT) run --config $(CURDIR)/.golangci.yml ./...) || failed=1; \
	done; \
	exit $$failed

.PHONY: lint-api
lint-api: $(GOLANGCI_LINT)
	@echo "==> kube-api-linter in api"
	@$(GOLANGCI_LINT) run --config .golangci-kal.yml ./api/...

.PHONY: lint-format
lint-format:
	@echo "==> gofmt"
	@unformatted=$$(gofmt -l $(GO_FOLDERS)); \
	if [[ -n $$unformatted ]]; then echo "not formatted, run make fmt:"; echo "$$unformatted"; exit 1; fi

.PHONY: lint-modules
lint-modules:
	@for module in $(TIDY_MODULES); do echo "==> go mod tidy -diff in $$module"; go -C $$module mod tidy -diff; done

.PHONY: lint-generated
lint-generated: $(TOOLS)/controller-gen $(TOOLS)/crd-ref-docs
	@echo "==> generated files"
	@fresh=$$(mktemp -d); trap 'rm -rf "$$fresh"' EXIT; \
	$(TOOLS)/controller-gen object paths=./api/v1alpha1 output:object:dir="$$fresh"; \
	$(call write-crds,"$$fresh/crd"); \
	$(TOOLS)/controller-gen rbac:roleName=wechatpay-operator-manager paths=./controllers output:rbac:dir="$$fresh/rbac"; \
	diff -u config/rbac/role.yaml "$$fresh/rbac/role.yaml" && \
	diff -u api/v1alpha1/zz_generated.deepcopy.go "$$fresh/zz_generated.deepcopy.go" && \
	diff -ru config/crd/bases "$$fresh/crd" || { echo "out of date, run make generate manifests"; exit 1; }; \
	go run ./hack/monitoring doc >"$$fresh/metrics.md"; \
	diff -u docs/metrics.md "$$fresh/metrics.md" || { echo "out of date, run make metricsdoc"; exit 1; }; \
	$(call write-apidoc,"$$fresh/api.md"); \
	diff -u docs/api.md "$$fresh/api.md" || { echo "out of date, run make apidoc"; exit 1; }

.PHONY: lint-kustomize
lint-kustomize: $(TOOLS)/kustomize
	@for folder in $(KUSTOMIZATIONS); do \
	  echo "==> kustomize build $$folder"; \
	  $(TOOLS)/kustomize build $$folder >/dev/null; \
	done

# promtool reads rules, not PrometheusRules, and finds rules.yaml beside the tests.
.PHONY: lint-alerts
lint-alerts: $(PROMTOOL)
	@echo "==> promtool: alerts, their tests, and the queries of the dashboard"
	@folder=$$(mktemp -d); trap 'rm -rf "$$folder"' EXIT; \
	go run ./hack/monitoring rules >"$$folder/rules.yaml"; \
	go run ./hack/monitoring dashboard >"$$folder/dashboard.yaml"; \
	cp config/prometheus/tests/*.yaml "$$folder"; \
	$(PROMTOOL) check rules --lint=all --lint-fatal "$$folder/rules.yaml"; \
	$(PROMTOOL) check rules --lint=none "$$folder/dashboard.yaml"; \
	$(PROMTOOL) test rules "$$folder/alerts.yaml"

# The schemas are those of the control plane itself, so that no network is needed. Of what kube-score asks for, three things are
# left out on purpose: a CPU limit would slow down the answer to a callback, which has five seconds; the pull policy is for tags
# that change, which those of releases do not; and topologySpreadConstraints keep replicas apart in place of an anti-affinity.
.PHONY: lint-manifests
lint-manifests: control-plane $(TOOLS)/kustomize manifest-tools ## Check the manifests and the Helm chart.
	@rm -rf bin/manifests && mkdir -p bin/manifests/chart
	@echo "==> the chart's copies"
	@$(call copy-into-chart,bin/manifests/chart); \
	diff -ru $(CHART)/files bin/manifests/chart || { echo "out of date, run make chart-files"; exit 1; }
	@echo "==> helm lint"
	@$(MANIFEST_TOOLS)/helm lint --strict --quiet $(CHART)
	@for folder in $(KUSTOMIZATIONS); do $(TOOLS)/kustomize build $$folder >bin/manifests/$${folder//\//-}.yaml; done
	@i=0; for values in "" scope=Namespace operator.enabled=false "$(CHART_ALL)"; do \
	  i=$$((i + 1)); $(MANIFEST_TOOLS)/helm template wechatpay-operator $(CHART) --namespace wechatpay-operator-system --set "$$values" >bin/manifests/helm-$$i.yaml; \
	done
	@echo "==> kubeconform"
	@go -C hack/tools/manifests mod download sigs.k8s.io/gateway-api github.com/prometheus-operator/prometheus-operator
	@knative=$$(go mod download -json knative.dev/eventing@$(KNATIVE_EVENTING) | sed -n 's|.*"Dir": "\(.*\)".*|\1/config/core/resources|p'); \
	argo=$$(go mod download -json github.com/argoproj/argo-events@$(ARGO_EVENTS) | sed -n 's|.*"Dir": "\(.*\)".*|\1/manifests/base/crds|p'); \
	gateway=$$(go -C hack/tools/manifests list -m -f '{{.Dir}}' sigs.k8s.io/gateway-api)/config/crd/standard/gateway.networking.k8s.io_; \
	prometheus=$$(go -C hack/tools/manifests list -m -f '{{.Dir}}' github.com/prometheus-operator/prometheus-operator)/example/prometheus-operator-crd/monitoring.coreos.com_; \
	go run ./hack/schemas -out bin/schemas $${gateway}gateways.yaml $${gateway}httproutes.yaml $${prometheus}prometheusrules.yaml $${prometheus}servicemonitors.yaml \
	  $$knative/{broker,sinkbindings,trigger}.yaml $$argo/argoproj.io_{eventbus,eventsources,sensors}.yaml
	@$(MANIFEST_TOOLS)/kubeconform -strict -summary -schema-location 'bin/schemas/{{.Group}}_{{.ResourceAPIVersion}}_{{.ResourceKind}}.json' bin/manifests/*.yaml
	@echo "==> kube-score"
	@for file in $(foreach folder,$(INSTALLATIONS),bin/manifests/$(subst /,-,$(folder)).yaml) bin/manifests/helm-*.yaml; do \
	  $(KUBE_SCORE) score --output-format ci --exit-one-on-warning --ignore-container-cpu-limit \
	    --ignore-test container-image-pull-policy --ignore-test deployment-has-host-podantiaffinity \
	    $$file >bin/manifests/score || { grep -v '\[OK\]\|\[SKIPPED\]' bin/manifests/score; echo "in $$file"; exit 1; }; \
	done

# The modules whose CRDs the samples of examples/order-desk/deploy are checked with. They are no tools, and are not built.
KNATIVE_EVENTING := v0.47.0
ARGO_EVENTS := v1.9.7

.PHONY: lint-image
lint-image:
	@echo "==> Dockerfiles"
	@go -C hack/tools/dockerfile run . $(CURDIR) Dockerfile examples/storefront/Dockerfile

# Everything that the chart can render at once.
CHART_ALL := metrics.serviceMonitor.enabled=true,callbacks.separate=true,callbacks.apiKeySecrets.shop={shop-wechatpay},ingress.enabled=true,ingress.host=pay.example.com,httpRoute.enabled=true,httpRoute.hostnames={pay.example.com},httpRoute.parentRefs[0].name=public,console.enabled=true,console.replicas=2,console.sessionKeysSecret=keys,console.httpRoute.enabled=true,console.httpRoute.hostnames={console.example.com},console.httpRoute.parentRefs[0].name=public

.PHONY: manifest-tools
manifest-tools: $(MANIFEST_TOOLS)/helm $(MANIFEST_TOOLS)/kubeconform $(KUBE_SCORE)

$(MANIFEST_TOOLS)/helm:
	@$(call build-tool,hack/tools/manifests,helm.sh/helm/v4/cmd/helm)

$(MANIFEST_TOOLS)/kubeconform:
	@$(call build-tool,hack/tools/manifests,github.com/yannh/kubeconform/cmd/kubeconform)

$(KUBE_SCORE):
	@$(call build-tool,hack/tools/kube-score,github.com/zegl/kube-score/cmd/kube-score)

$(TOOLS)/controller-gen:
	@$(call build-tool,hack/tools,sigs.k8s.io/controller-tools/cmd/controller-gen)

$(TOOLS)/crd-ref-docs:
	@$(call build-tool,hack/tools,github.com/elastic/crd-ref-docs)

$(TOOLS)/cyclonedx-gomod:
	@$(call build-tool,hack/tools,github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod)

$(TOOLS)/kustomize:
	@$(call build-tool,hack/tools,sigs.k8s.io/kustomize/kustomize/v5)

$(GOLANGCI_LINT):
	@$(call build-tool,hack/tools/golangci-lint,sigs.k8s.io/kube-api-linter/cmd/golangci-lint-kube-api-linter)

# promtool's service discoveries are most of what it is made of, and of no use here.
$(PROMTOOL): export GOFLAGS := $(GOFLAGS) -tags=remove_all_sd
$(PROMTOOL):
	@$(call build-tool,hack/tools/promtool,github.com/prometheus/prometheus/cmd/promtool)

# build-tool builds a package at the version that the module in a folder pins.
define build-tool
echo "Building $(@F) at $$(go -C $(1) list -f '{{.Module.Version}}' $(2)) ..."; \
started=$$SECONDS; \
CGO_ENABLED=0 go -C $(1) build -trimpath -ldflags "-s -w" -o $(CURDIR)/$@ $(2); \
echo "  $@ was built in $$((SECONDS - started)) s."
endef

##@ Install

.PHONY: install
install: ## Install the CRDs into the current cluster.
	$(KUBECTL) apply --server-side -k config/crd

.PHONY: uninstall
uninstall: ## Remove the CRDs with all Merchants, Orders and Refunds. The operator must still run, to settle them.
	$(KUBECTL) delete --ignore-not-found -k config/crd

.PHONY: deploy
deploy: $(TOOLS)/kustomize ## Install into the current cluster: IMG=<image> NOTIFY_BASE_URL=<https://...> KUSTOMIZATION=<folder>.
	@$(configure)
	$(KUBECTL) apply --server-side -k bin/deploy

.PHONY: undeploy
undeploy: $(TOOLS)/kustomize ## Remove the operator, its roles and policies. The CRDs, their objects and the namespace stay.
	@$(configure)
	@cd bin/deploy && for kind in CustomResourceDefinition Namespace; do \
	  $(CURDIR)/$(TOOLS)/kustomize edit add patch --kind $$kind --patch "{\$$patch: delete, apiVersion: v1, kind: $$kind, metadata: {name: all}}"; done
	$(KUBECTL) delete --ignore-not-found -k bin/deploy

.PHONY: build-installer
build-installer: $(TOOLS)/kustomize ## Write all of it into one file, dist/install.yaml: IMG, NOTIFY_BASE_URL, KUSTOMIZATION.
	@$(configure)
	@mkdir -p dist
	@$(TOOLS)/kustomize build bin/deploy >dist/install.yaml
	@echo "dist/install.yaml installs $(KUSTOMIZATION) with $(IMG)"

.PHONY: chart
chart: $(MANIFEST_TOOLS)/helm ## Pack the Helm chart into dist/: CHART_VERSION=<semver> VERSION=<tag of the image>.
	@mkdir -p dist
	@$(MANIFEST_TOOLS)/helm package $(CHART) --destination dist --version "$(CHART_VERSION)" --app-version "$(VERSION)"

# Helm wants a semantic version, with or without the v of a tag.
CHART_VERSION ?= $(if $(filter v%,$(VERSION)),$(VERSION),0.0.0-$(VERSION))

# configure makes a kustomization of its own in bin/deploy, with image, callback address and version filled in.
define configure
rm -rf bin/deploy && mkdir -p bin/deploy && cd bin/deploy && \
$(CURDIR)/$(TOOLS)/kustomize create --resources ../../$(KUSTOMIZATION) && \
$(CURDIR)/$(TOOLS)/kustomize edit set image wechatpay-operator="$(IMG)" && \
if [[ -n "$(NOTIFY_BASE_URL)" ]]; then \
  $(CURDIR)/$(TOOLS)/kustomize edit add patch --kind Deployment --name wechatpay-operator-controller-manager \
    --patch '[{"op": "add", "path": "/spec/template/spec/containers/0/args/-", "value": "--notify-base-url=$(NOTIFY_BASE_URL)"}]'; fi
endef

.PHONY: docker-build
docker-build: ## Build the image: IMG=<image>.
	$(DOCKER) build --build-arg VERSION="$(VERSION)" -t "$(IMG)" .

PLATFORMS ?= linux/amd64,linux/arm64

.PHONY: docker-buildx
docker-buildx: ## Build the image for several platforms and push it: IMG=<image> PLATFORMS=<list>.
	$(DOCKER) buildx build --platform "$(PLATFORMS)" --build-arg VERSION="$(VERSION)" --push -t "$(IMG)" .

.PHONY: release-archives
release-archives: ## Pack the kubectl plugin for all platforms into dist/, with checksums and krew's manifest: VERSION=<tag>.
	@go run ./hack/release -version "$(VERSION)" -out dist

.PHONY: sbom
sbom: $(TOOLS)/cyclonedx-gomod ## List what the binary is made of, in CycloneDX: dist/sbom.json.
	@mkdir -p dist
	$(TOOLS)/cyclonedx-gomod app -json -licenses -main . -output dist/sbom.json .
