package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// metric is a metric defined in the code.
type metric struct {
	name, kind, help string
	labels           []string
}

// prefix is the prefix of all of the operator's own metrics.
const prefix = "wechatpay_"

// metricsPackage makes all of them.
const metricsPackage = "internal/metrics"

// findMetrics finds calls such as gaugeVec("name", []string{"label"}, "help") in the code. All three must be literals.
func findMetrics(root string) ([]metric, error) {
	paths, err := filepath.Glob(filepath.Join(root, metricsPackage, "*.go"))
	if err != nil {
		return nil, err
	}
	var found []metric
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return nil, err
		}
		inFile, err := metricsOf(file)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		found = append(found, inFile...)
	}
	slices.SortFunc(found, func(a, b metric) int { return strings.Compare(a.name, b.name) })
	return found, nil
}

func metricsOf(file *ast.File) ([]metric, error) {
	var found []metric
	var problem error
	ast.Inspect(file, func(node ast.Node) bool {
		call, ok := node.(*ast.CallExpr)
		if !ok {
			return true
		}
		kind, ok := constructor(call)
		if !ok {
			return true
		}
		made, err := metricOf(call, kind)
		if err != nil {
			problem = err
			return false
		}
		found = append(found, made)
		return true
	})
	return found, problem
}

// constructor returns the kind of metric that a call creates, if any.
func constructor(call *ast.CallExpr) (string, bool) {
	function, ok := call.Fun.(*ast.Ident)
	if !ok {
		return "", false
	}
	kind := strings.TrimSuffix(function.Name, "Vec")
	return kind, slices.Contains([]string{"counter", "gauge", "histogram"}, kind)
}

func metricOf(call *ast.CallExpr, kind string) (metric, error) {
	made := metric{kind: kind}
	texts := []*string{&made.name, &made.help}
	for _, argument := range call.Args {
		if list, ok := argument.(*ast.CompositeLit); ok {
			for _, element := range list.Elts {
				label, ok := literal(element)
				if !ok {
					return made, fmt.Errorf("a label of %s is no literal", made.name)
				}
				made.labels = append(made.labels, label)
			}
			continue
		}
		if len(texts) == 0 {
			break // the buckets of a histogram
		}
		text, ok := literal(argument)
		if !ok {
			return made, fmt.Errorf("name or help of a %s is no literal", kind)
		}
		*texts[0], texts = text, texts[1:]
	}
	return made, nil
}

func literal(expression ast.Expr) (string, bool) {
	value, ok := expression.(*ast.BasicLit)
	if !ok || value.Kind != token.STRING {
		return "", false
	}
	text, err := strconv.Unquote(value.Value)
	return text, err == nil
}
