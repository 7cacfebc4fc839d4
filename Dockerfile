# Built on the machine's own platform for any other: Go cross-compiles, so no emulation is needed.
FROM --platform=$BUILDPLATFORM golang:1.26 AS build
ARG TARGETOS
ARG TARGETARCH
ARG VERSION=dev
WORKDIR /src

# Modules change less often than code; apart, they stay in the layer cache.
COPY go.mod go.sum ./
RUN go mod download

COPY main.go main.go
COPY api api
COPY cmd/console cmd/console
COPY controllers controllers
COPY internal internal
COPY webhookserver webhookserver
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH \
    go build -trimpath -buildvcs=false -ldflags "-s -w -X main.version=$VERSION" -o /manager . && \
    CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH \
    go build -trimpath -buildvcs=false -ldflags "-s -w -X main.version=$VERSION" -o /console ./cmd/console

# Nothing but the two binaries and the certificate authorities that WeChat's hosts are verified with. No shell, no root. config/console
# runs the other one, so that an installation has one image to pin, to scan and to mirror.
FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /manager /manager
COPY --from=build /console /console
USER 65532:65532
ENTRYPOINT ["/manager"]
