package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
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

// findMetrics finds calls such as prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: ...}, labels)
// in the code. Name and Help must be literals.
func findMetrics(root string) ([]metric, error) {
	var found []metric
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && slices.Contains([]string{".git", "bin", "hack", "testdata"}, entry.Name()):
			return filepath.SkipDir
		case entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		inFile, err := metricsOf(file)
		found = append(found, inFile...)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		return nil
	})
	slices.SortFunc(found, func(a, b metric) int { return strings.Compare(a.name, b.name) })
	return found, err
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
	function, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return "", false
	}
	from, ok := function.X.(*ast.Ident)
	if !ok || (from.Name != "prometheus" && from.Name != "promauto") {
		return "", false
	}
	name, made := strings.CutPrefix(function.Sel.Name, "New")
	kind := strings.ToLower(strings.TrimSuffix(strings.TrimSuffix(name, "Func"), "Vec"))
	return kind, made && slices.Contains([]string{"counter", "gauge", "histogram", "summary"}, kind)
}

func metricOf(call *ast.CallExpr, kind string) (metric, error) {
	made := metric{kind: kind}
	options, ok := call.Args[0].(*ast.CompositeLit)
	if !ok {
		return made, fmt.Errorf("the options of a %s are no literal", kind)
	}
	for _, element := range options.Elts {
		pair := element.(*ast.KeyValueExpr)
		switch key := pair.Key.(*ast.Ident).Name; key {
		case "Name", "Help":
			value, ok := literal(pair.Value)
			if !ok {
				return made, fmt.Errorf("%s of a %s is no literal", key, kind)
			}
			if key == "Name" {
				made.name = value
			} else {
				made.help = value
			}
		case "Namespace", "Subsystem", "ConstLabels":
			return made, fmt.Errorf("%s of a %s: put the whole name into Name, so that people find it", key, kind)
		}
	}
	if len(call.Args) > 1 {
		if list, ok := call.Args[1].(*ast.CompositeLit); ok {
			for _, element := range list.Elts {
				label, ok := literal(element)
				if !ok {
					return made, fmt.Errorf("a label of %s is no literal", made.name)
				}
				made.labels = append(made.labels, label)
			}
		}
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
