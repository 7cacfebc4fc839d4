// Package hostile measures what attackers can do to the callback server: how many good callbacks are answered SUCCESS, and
// how soon, while others attack. `make bench-hostile` runs it and prints a table.
//
// Everything is real but WeChat: the manager of the operator on a kube-apiserver and etcd, with production's limits. Attackers,
// operator and control plane share one machine, so that the figures are those of a server which is short of everything.
package hostile
