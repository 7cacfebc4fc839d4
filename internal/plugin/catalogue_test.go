package plugin_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/plugin/words"
)

// says are the functions that take a message, with the index of the message among their arguments.
var says = map[string]int{"text": 0, "printf": 0, "notef": 0, "ask": 0, "usagef": 0, "failf": 1, "happened": 1}

// TestEverythingIsTranslated parses the code: each message is in the catalogue, and each label in the glossary. The
// catalogue has no unused messages.
func TestEverythingIsTranslated(t *testing.T) {
	said := map[string]bool{}
	for _, file := range sources(t) {
		ast.Inspect(file, func(node ast.Node) bool {
			switch n := node.(type) {
			case *ast.CallExpr:
				if at, is := says[calledName(n)]; is && len(n.Args) > at {
					if message, literal := literalOf(n.Args[at]); literal {
						said[message] = true
					}
				}
				for _, head := range headsOf(n) {
					knows(t, head)
				}
			case *ast.KeyValueExpr: // the messages of a decision
				if key, is := n.Key.(*ast.Ident); is && (key.Name == "short" || key.Name == "long" || key.Name == "question" ||
					key.Name == "done") {
					message, _ := literalOf(n.Value)
					said[message] = true
				}
			case *ast.CompositeLit:
				if labelled(n) {
					if label, literal := literalOf(n.Elts[0]); literal {
						knows(t, label)
					}
				}
			}
			return true
		})
	}
	for message := range said {
		if _, known := words.Messages()[message]; !known {
			t.Errorf("not translated: %q", message)
		}
	}
	for message := range words.Messages() {
		if !said[message] {
			t.Errorf("translated and never said: %q", message)
		}
	}
}

// TestReasonsHaveWords: the glossary has the reasons of all kinds that the plugin describes.
func TestReasonsHaveWords(t *testing.T) {
	for _, reason := range []string{
		v1alpha1.ReasonPaid, v1alpha1.ReasonPaidLate, v1alpha1.ReasonPaidEarlier, v1alpha1.ReasonPaidUnderOtherParameters, v1alpha1.ReasonClosed, v1alpha1.ReasonExpired, v1alpha1.ReasonRejected,
		v1alpha1.ReasonNumberInUse, v1alpha1.ReasonPending, v1alpha1.ReasonAwaitingPayment, v1alpha1.ReasonClosing, v1alpha1.ReasonAmountMismatch, v1alpha1.ReasonUnknownState,
		v1alpha1.ReasonApproved, v1alpha1.ReasonAutomatic, v1alpha1.ReasonRecovered, v1alpha1.ReasonDenied, v1alpha1.ReasonApprovedUnguarded, v1alpha1.ReasonAwaitingApproval, v1alpha1.ReasonPolicyMissing,
		v1alpha1.ReasonPolicyNotVerified, v1alpha1.ReasonSucceeded, v1alpha1.ReasonProcessing, v1alpha1.ReasonAbnormal, v1alpha1.ReasonQueryFailed, v1alpha1.ReasonMismatch, v1alpha1.ReasonExceedsPaid,
		v1alpha1.ReasonBalanced, v1alpha1.ReasonDiffers, v1alpha1.ReasonUndecided, v1alpha1.ReasonNotCompared, v1alpha1.ReasonDownloaded, v1alpha1.ReasonEmpty, v1alpha1.ReasonWaiting, v1alpha1.ReasonCreating,
		v1alpha1.ReasonNotAllowed, v1alpha1.ReasonIncomplete, v1alpha1.ReasonUploaded, v1alpha1.ReasonAlreadyShipped, v1alpha1.ReasonNotYetKnown, v1alpha1.ReasonNothingLeft, v1alpha1.ReasonNotShippable,
	} {
		knows(t, reason)
	}
}

func knows(t *testing.T, word string) {
	t.Helper()
	if !words.KnowsWord(word) {
		t.Errorf("not in the glossary: %q", word)
	}
}

func sources(t *testing.T) []*ast.File {
	t.Helper()
	names, err := filepath.Glob("*.go")
	must(t, err)
	var files []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		must(t, err)
		files = append(files, file)
	}
	return files
}

func calledName(call *ast.CallExpr) string {
	switch f := call.Fun.(type) {
	case *ast.SelectorExpr:
		return f.Sel.Name
	case *ast.Ident:
		return f.Name
	}
	return ""
}

// headsOf returns the literal columns of a table, or the title of a section.
func headsOf(call *ast.CallExpr) []string {
	var heads []string
	switch calledName(call) {
	case "section":
		if title, literal := literalOf(call.Args[0]); literal {
			heads = append(heads, title)
		}
	case "table":
		if list, is := call.Args[0].(*ast.CompositeLit); is {
			for _, element := range list.Elts {
				head, _ := literalOf(element)
				heads = append(heads, head)
			}
		}
	}
	return heads
}

// labelled reports whether a composite is a line, whose first element is its label.
func labelled(literal *ast.CompositeLit) bool {
	name, is := literal.Type.(*ast.Ident)
	return is && name.Name == "line" && len(literal.Elts) == 2
}

// literalOf joins the string literals of an expression.
func literalOf(expression ast.Expr) (string, bool) {
	switch e := expression.(type) {
	case *ast.BasicLit:
		text, err := strconv.Unquote(e.Value)
		return text, err == nil
	case *ast.BinaryExpr:
		left, one := literalOf(e.X)
		right, other := literalOf(e.Y)
		return left + right, one && other
	}
	return "", false
}
