package main

import "context"

func measureScale(context.Context, settings, *results) error { return nil }
