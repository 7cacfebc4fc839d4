// Package plugin is kubectl wechatpay: a kubectl plugin for people who handle Orders and Refunds. It uses the caller's
// rights, and has none of its own.
//
// Run is the whole command as a function. Each command is in one file: it reads objects, prints them with the printer,
// and writes at most once. All output goes through the printer: it translates, and cleans all text that comes from the
// cluster.
package plugin
