package settlement_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// listed are the reasons that api/v1alpha1/conditions.go lists for each condition and status, as "Paid True/Paid". The
// comments there are what users read, so they are what is held against.
var listed = sync.OnceValue(func() map[string]bool {
	file, err := parser.ParseFile(token.NewFileSet(), "../../api/v1alpha1/conditions.go", nil, parser.ParseComments)
	if err != nil {
		panic(err)
	}
	reasons := map[string]bool{}
	for _, declaration := range file.Decls {
		block, isBlock := declaration.(*ast.GenDecl)
		if !isBlock || block.Doc == nil {
			continue
		}
		for _, kind := range conditionTypes(block) {
			for _, entry := range reasonsIn(block.Doc.Text()) {
				reasons[kind+" "+entry] = true
			}
		}
	}
	if len(reasons) < 40 {
		panic(fmt.Sprintf("only %d reasons found in conditions.go", len(reasons)))
	}
	return reasons
})

func conditionTypes(block *ast.GenDecl) []string {
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

func reasonsIn(comment string) []string {
	var entries []string
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
				entries = append(entries, status+"/"+reason)
			}
		}
	}
	return entries
}

// malformed says what is wrong with conditions; empty when nothing is.
func malformed(conditions []metav1.Condition, generation int64, kinds ...string) string {
	var found []string
	for _, condition := range conditions {
		found = append(found, condition.Type)
		state := fmt.Sprintf("%s %s/%s", condition.Type, condition.Status, condition.Reason)
		switch {
		case !listed()[state]:
			return state + " is not listed in api/v1alpha1/conditions.go"
		case condition.ObservedGeneration != generation:
			return fmt.Sprintf("%s has the generation %d", state, condition.ObservedGeneration)
		case condition.LastTransitionTime.IsZero():
			return state + " has no time"
		case condition.Message == "":
			return state + " has no message"
		case len(condition.Message) > 1024 || !utf8.ValidString(condition.Message):
			return state + " has a message that is too long, or no UTF-8"
		}
	}
	slices.Sort(found)
	slices.Sort(kinds)
	if !slices.Equal(found, kinds) {
		return fmt.Sprintf("the conditions are %q, not %q", found, kinds)
	}
	return ""
}
