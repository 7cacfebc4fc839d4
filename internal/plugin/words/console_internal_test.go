package words

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

var consoleWord = regexp.MustCompile(`'?([A-Za-z/]+)'?: '([^']+)'`)

// TestTheConsoleSaysTheSame: the plugin and the console's page translate a reason into the same Chinese word.
func TestTheConsoleSaysTheSame(t *testing.T) {
	page, err := os.ReadFile("../../../web/src/words.ts")
	if err != nil {
		t.Fatal(err)
	}
	_, table, begins := strings.Cut(string(page), "\nconst reasons")
	table, _, ends := strings.Cut(table, "\n}")
	if !begins || !ends {
		t.Fatal("web/src/words.ts has no table of reasons")
	}
	found := consoleWord.FindAllStringSubmatch(table, -1)
	if len(found) < 60 {
		t.Fatalf("%d reasons were read", len(found))
	}
	for _, word := range found {
		if here, known := glossary[word[1]]; !known || here.chinese != word[2] {
			t.Errorf("the console says %q for %s, kubectl wechatpay %q", word[2], word[1], here.chinese)
		}
	}
}
