package controlplane

import (
	"fmt"
	"os"
)

// Main runs the tests of a package on one control plane, stops it in any case, and exits the
// process. A TestMain calls it. prepare may be nil.
func Main(m interface{ Run() int }, env **Environment, prepare func() error) {
	os.Exit(run(m, env, prepare))
}

func run(m interface{ Run() int }, env **Environment, prepare func() error) (code int) {
	started, err := Start()
	if err != nil {
		return complain(err)
	}
	defer func() {
		if err := started.Stop(); err != nil {
			code = complain(err)
		}
	}()
	*env = started
	if prepare != nil {
		if err := prepare(); err != nil {
			return complain(err)
		}
	}
	return m.Run()
}

func complain(err error) int {
	fmt.Fprintln(os.Stderr, err)
	return 1
}
