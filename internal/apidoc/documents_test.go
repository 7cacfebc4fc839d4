package apidoc_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/wechatpay-operator/wechatpay-operator/internal/apidoc"
)

const root = "../.."

// paragraphs are the sections of a document by their third-level heading.
func paragraphs(t *testing.T, path string) map[string]string {
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for section := range strings.SplitSeq("\n"+string(content), "\n### ") {
		heading, text, _ := strings.Cut(section, "\n")
		text, _, _ = strings.Cut(text, "\n## ")
		found[strings.TrimSpace(heading)] = text
	}
	return found
}

func TestEveryReasonHasAParagraphInTheTroubleshootingGuides(t *testing.T) {
	reasons, err := apidoc.Reasons(root + "/api/v1alpha1/conditions.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, document := range []string{"docs/troubleshooting.md", "docs/zh-CN/troubleshooting.md"} {
		guide := paragraphs(t, filepath.Join(root, document))
		known := map[string]bool{}
		for _, reason := range reasons {
			known[reason.Reason] = true
			paragraph, written := guide[reason.Reason]
			if !written {
				t.Errorf("%s has no paragraph %q", document, "### "+reason.Reason)
				continue
			}
			if where := "`" + reason.Condition + "=" + reason.Status + "`"; !strings.Contains(paragraph, where) {
				t.Errorf("%s, paragraph %s, does not say that it occurs as %s", document, reason.Reason, where)
			}
		}
		for heading := range guide {
			if singleWord.MatchString(heading) && !known[heading] {
				t.Errorf("%s has a paragraph about %s, which is no reason", document, heading)
			}
		}
	}
}

var (
	singleWord = regexp.MustCompile(`^[A-Z][A-Za-z0-9]+$`)
	code       = regexp.MustCompile("`[^`\n]*`")
	link       = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	headings   = regexp.MustCompile(`(?m)^#+ +(.*)$`)
	notAnchor  = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// anchors are the fragments that a document's headings can be linked by.
func anchors(content string) map[string]bool {
	found := map[string]bool{}
	for _, heading := range headings.FindAllStringSubmatch(content, -1) {
		text := strings.ToLower(notAnchor.ReplaceAllString(heading[1], ""))
		found[strings.ReplaceAll(text, " ", "-")] = true
	}
	return found
}

func TestLinksBetweenDocumentsLeadSomewhere(t *testing.T) {
	var documents []string
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/*/*.md", "docs/*/*/*.md", "cmd/*/*.md"} {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		documents = append(documents, found...)
	}
	if len(documents) < 5 {
		t.Fatalf("only %d documents found", len(documents))
	}
	for _, document := range documents {
		content, err := os.ReadFile(document)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range link.FindAllStringSubmatch(code.ReplaceAllString(string(content), ""), -1) {
			target, fragment, _ := strings.Cut(found[1], "#")
			if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
				continue
			}
			path := document
			if target != "" {
				path = filepath.Join(filepath.Dir(document), target)
			}
			there, err := os.ReadFile(path)
			if info, statErr := os.Stat(path); statErr == nil && info.IsDir() && fragment == "" {
				continue
			}
			switch {
			case err != nil:
				t.Errorf("%s links to %s, which is not there", document, found[1])
			case fragment != "" && !anchors(string(there))[fragment]:
				t.Errorf("%s links to %s, which has no such heading", document, found[1])
			}
		}
	}
}
