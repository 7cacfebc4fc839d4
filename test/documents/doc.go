// Package documents keeps the documents true: its tests run the commands that they show and compare the output, run the
// program that they quote, and compare what they list with the code.
package documents
