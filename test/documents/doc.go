// Package documents keeps what README.md shows true: its tests run the commands that stand there, and compare the output.
package documents
