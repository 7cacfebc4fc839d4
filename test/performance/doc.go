// Package performance measures what the operator costs, against the limit that the API server sets. Everything runs on
// one machine in one run, so that the ratio of two figures means something on any machine. docs/performance.md explains
// each figure.
//
//	make bench                              # everything
//	make bench BENCHFLAGS="--only=writes"   # one section
//	make bench-check                        # hold the last run against test/performance/ranges.yaml
//
// Everything is real but WeChat: kube-apiserver, etcd and the operator's own binary, each a process of its own, with
// the rights of an installation. They share the machine's cores with the simulated WeChat Pay and with the load.
package performance
