package main

import "context"

func measureCallbacks(context.Context, settings, *results) error { return nil }
