// Command dockerfile checks a Dockerfile against the rules of docker's own linter that need no
// build, and against this project's requirements: every copied file exists, and the image runs as a
// numeric non-root user on an empty base.
package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: dockerfile <folder of the build context> <Dockerfile in it>...")
		os.Exit(2)
	}
	var complaints []string
	for _, name := range os.Args[2:] {
		found, err := check(os.Args[1], name)
		if err != nil {
			fmt.Fprintln(os.Stderr, "dockerfile:", err)
			os.Exit(1)
		}
		complaints = append(complaints, found...)
	}
	for _, complaint := range complaints {
		fmt.Println(complaint)
	}
	if len(complaints) > 0 {
		os.Exit(1)
	}
}

// check returns one line per complaint. It returns an error if the file is not a valid Dockerfile.
func check(context, name string) ([]string, error) {
	path := filepath.Join(context, name)
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	parsed, err := parser.Parse(bytes.NewReader(content))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	var complaints []string
	complain := func(where []parser.Range, format string, args ...any) {
		line := 0
		if len(where) > 0 {
			line = where[0].Start.Line
		}
		complaints = append(complaints, fmt.Sprintf("%s:%d: %s", path, line, fmt.Sprintf(format, args...)))
	}
	rules := linter.New(&linter.Config{Warn: func(rule, description, _, message string, where []parser.Range) {
		complain(where, "%s: %s (%s)", rule, message, description)
	}})
	stages, _, err := instructions.Parse(parsed.AST, rules)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	for _, stage := range stages {
		for _, command := range stage.Commands {
			if copied, ok := command.(*instructions.CopyCommand); ok && copied.From == "" {
				for _, source := range copied.SourcePaths {
					if _, err := os.Stat(filepath.Join(context, source)); err != nil {
						complain(copied.Location(), "%s is copied and does not exist", source)
					}
				}
			}
		}
	}
	last := stages[len(stages)-1]
	if last.BaseName != "scratch" {
		complain(last.Location, "the image is made from %s, not from scratch", last.BaseName)
	}
	if user := userOf(last); !isNumericAndNotRoot(user) {
		complain(last.Location, "the image runs as %q: a kubelet can verify runAsNonRoot only for a number, and not 0", user)
	}
	return complaints, nil
}

func userOf(stage instructions.Stage) string {
	user := ""
	for _, command := range stage.Commands {
		if set, ok := command.(*instructions.UserCommand); ok {
			user = set.User
		}
	}
	return user
}

func isNumericAndNotRoot(user string) bool {
	id, _, _ := strings.Cut(user, ":")
	number, err := strconv.Atoi(id)
	return err == nil && number > 0
}
