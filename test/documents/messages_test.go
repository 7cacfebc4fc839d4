package documents

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wechatpay-operator/wechatpay-operator/test/framework/controlplane"
)

// quoted are words of the operator, in messages and in its log, that documents quote or have readers search for.
var quoted = map[string][]string{
	"docs/callbacks.md": {"this operator's text"},
	"docs/runbooks.md":  {"has the number", "The number of a", "not settled", "refuses a write", "Waiting to start"},
	"docs/troubleshooting.md": {
		"The endpoint of a Merchant has not given an answer yet that could be verified",
		"WeChat Pay has not accepted the Merchant's key yet", "oo many calls are waiting",
		"the reply was given before", "the answer has the prepay of", "the reply is for another call", "which the signature does not tell apart",
		"holds an ampersand, a name and an equals sign",
	},
	"docs/zh-CN/runbooks.md": {"has the number", "The number of a", "not settled", "refuses a write", "Waiting to start"},
	"docs/zh-CN/troubleshooting.md": {
		"WeChat Pay has not accepted the Merchant's key yet", "oo many calls are waiting",
		"the reply was given before", "the answer has the prepay of", "the reply is for another call", "which the signature does not tell apart",
		"holds an ampersand, a name and an equals sign",
	},
}

// TestQuotedMessagesAreTheOperators: what documents quote of messages still stands in the code, word for word.
func TestQuotedMessagesAreTheOperators(t *testing.T) {
	code := operatorCode(t)
	for document, phrases := range quoted {
		text, err := os.ReadFile(filepath.Join(controlplane.Root(), document))
		if err != nil {
			t.Fatal(err)
		}
		for _, phrase := range phrases {
			if !strings.Contains(string(text), phrase) {
				t.Errorf("%s does not quote %q any more: take it out of this test", document, phrase)
			}
			if !strings.Contains(code, phrase) {
				t.Errorf("%s quotes %q, which the operator does not say", document, phrase)
			}
		}
	}
}

// operatorCode is the operator's own code, without its tests.
func operatorCode(t *testing.T) string {
	t.Helper()
	var code strings.Builder
	for _, folder := range []string{"controllers", "internal", "webhookserver"} {
		err := filepath.WalkDir(filepath.Join(controlplane.Root(), folder), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			content, err := os.ReadFile(path)
			code.Write(content)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return code.String()
}
