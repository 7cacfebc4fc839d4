package main

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/wechatpay-operator/wechatpay-operator/test/framework/controlplane"
)

// TestTutorialsHaveTheSameCommands: the demo runs the English one's.
func TestTutorialsHaveTheSameCommands(t *testing.T) {
	comments := regexp.MustCompile(` +#.*`)
	var commands [2]string
	for i, page := range []string{"docs/tutorial.md", "docs/zh-CN/tutorial.md"} {
		content, err := os.ReadFile(filepath.Join(controlplane.Root(), page))
		if err != nil {
			t.Fatal(err)
		}
		commands[i] = comments.ReplaceAllString(shellBlocks(string(content)), "")
	}
	if commands[0] == "" || commands[0] != commands[1] {
		t.Errorf("the commands differ:\n%s\n\n%s", commands[0], commands[1])
	}
}
