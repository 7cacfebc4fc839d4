// Package plugin is kubectl wechatpay: what people do with Orders and Refunds by kubectl, said in words and amounts. It works with
// the rights of whoever calls it, and has none of its own.
//
// Run is the whole command as a function. Each command is a file: it reads what it needs, prints it by the console, and writes at
// most once. The console is the only way to print: it translates, and cleans all text that comes from the cluster.
package plugin
