// Package miniprogram makes a ready client of a MiniProgram and its Secret, and says which
// MiniProgram is for which Order.
package miniprogram
