// Package apidoc reads what api/v1alpha1/conditions.go tells users, so that tests can hold code and documents against it.
package apidoc

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"strings"
)

// Reason is one state that a condition can be in.
type Reason struct {
	// Condition, Status and Reason as in "Paid", "True", "PaidLate".
	Condition, Status, Reason string
}

// String is "Paid True/PaidLate".
func (r Reason) String() string { return r.Condition + " " + r.Status + "/" + r.Reason }

// fewest guards against a change of the file's form that would leave nothing to hold anything against.
const fewest = 40

// Reasons are those that the comments of a file such as api/v1alpha1/conditions.go list for each condition and status.
func Reasons(path string) ([]Reason, error) {
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
	if err != nil {
		return nil, err
	}
	var reasons []Reason
	for _, declaration := range file.Decls {
		block, isBlock := declaration.(*ast.GenDecl)
		if !isBlock || block.Doc == nil {
			continue
		}
		for _, condition := range conditionsIn(block) {
			reasons = append(reasons, reasonsIn(condition, block.Doc.Text())...)
		}
	}
	if len(reasons) < fewest {
		return nil, fmt.Errorf("only %d reasons found in %s", len(reasons), path)
	}
	return reasons, nil
}

// conditionsIn names the condition types that a block of constants declares.
func conditionsIn(block *ast.GenDecl) []string {
	var types []string
	for _, spec := range block.Specs {
		value, isValue := spec.(*ast.ValueSpec)
		if isValue && strings.HasPrefix(value.Names[0].Name, "Condition") {
			types = append(types, strings.Trim(value.Values[0].(*ast.BasicLit).Value, `"`))
		}
	}
	return types
}

var (
	remark     = regexp.MustCompile(`\([^)]*\)`)
	statusLine = regexp.MustCompile(`^\s*(True|False|Unknown):(.*)$`)
)

// reasonsIn takes the reasons out of a comment with a line for each status; a line may go on in the next one.
func reasonsIn(condition, comment string) []Reason {
	var reasons []Reason
	status := ""
	for line := range strings.Lines(remark.ReplaceAllString(comment, "")) {
		if found := statusLine.FindStringSubmatch(strings.TrimRight(line, "\n")); found != nil {
			status, line = found[1], found[2]
		}
		if status == "" {
			continue
		}
		for reason := range strings.SplitSeq(line, ",") {
			if reason = strings.TrimSpace(reason); reason != "" {
				reasons = append(reasons, Reason{condition, status, reason})
			}
		}
	}
	return reasons
}
