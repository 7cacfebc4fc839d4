// Package miniprogram creates a ready-to-use client from a MiniProgram and its Secret, and finds
// the MiniProgram of an Order.
package miniprogram
