package documents_test

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/wechatpay-operator/wechatpay-operator/internal/plugin"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework/controlplane"
)

// TestPluginIsDocumented: both pages have a row for each command of kubectl wechatpay, and the exit codes that there are.
func TestPluginIsDocumented(t *testing.T) {
	commands := commandsOfThePlugin(t)
	codes := []string{"0", "1", "2", "3", "4", "5", "6"}
	if plugin.ExitDone != 0 || plugin.ExitFailure != 1 || plugin.ExitUsage != 2 || plugin.ExitNotPermitted != 3 || plugin.ExitDeclined != 4 || plugin.ExitTimeout != 5 || plugin.ExitUnexpected != 6 {
		t.Error("the exit codes are others than the documents say")
	}
	for _, page := range []string{"docs/kubectl-plugin.md", "docs/zh-CN/kubectl-plugin.md"} {
		content, err := os.ReadFile(filepath.Join(controlplane.Root(), page))
		if err != nil {
			t.Fatal(err)
		}
		if got := cells(content, "(?m)^\\| `kubectl wechatpay ([a-z]+)"); !slices.Equal(got, commands) {
			t.Errorf("%s has the commands %q, and the plugin %q", page, got, commands)
		}
		if got := cells(content, `(?m)^\| (\d) \|`); !slices.Equal(got, codes) {
			t.Errorf("%s has the exit codes %q", page, got)
		}
	}
}

func cells(content []byte, pattern string) []string {
	var all []string
	for _, found := range regexp.MustCompile(pattern).FindAllSubmatch(content, -1) {
		all = append(all, string(found[1]))
	}
	slices.Sort(all)
	return all
}

// commandsOfThePlugin are those that completion offers, but for completion and help themselves.
func commandsOfThePlugin(t *testing.T) []string {
	t.Helper()
	var out bytes.Buffer
	plugin.Run(t.Context(), []string{"__completeNoDesc", ""}, plugin.Env{
		Streams: genericiooptions.IOStreams{In: strings.NewReader(""), Out: &out, ErrOut: &bytes.Buffer{}}, Getenv: func(string) string { return "" }})
	commands := slices.DeleteFunc(strings.Fields(out.String()), func(word string) bool {
		return strings.HasPrefix(word, ":") || word == "completion" || word == "help"
	})
	slices.Sort(commands)
	return commands
}
