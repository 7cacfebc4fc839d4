package webhookserver_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/wechatpay-operator/wechatpay-operator/test/framework"
)

// allLogs is the log of all tests of this package.
var allLogs = &logbook{}

// secrets are in many messages that the tests send, and must not appear in any log or event. The
// last ones are typical parts of bodies.
var secrets = []string{framework.APIKey, framework.APIV3Key, previousKey, secondKey, framework.OpenID, "<xml", "<root", "<req_info", "CDATA"}

// verbosity is the highest level at which the operator logs. From 8 on client-go logs whole
// objects.
const verbosity = 5

// logbook stores log lines.
type logbook struct {
	mutex sync.Mutex
	lines []string
}

func (b *logbook) logger() logr.Logger {
	return funcr.NewJSON(b.add, funcr.Options{Verbosity: verbosity})
}

func (b *logbook) add(line string) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	b.lines = append(b.lines, line)
}

// copying also writes into another logbook.
func (b *logbook) copying(to *logbook) logr.Logger {
	return funcr.NewJSON(func(line string) { b.add(line); to.add(line) }, funcr.Options{Verbosity: verbosity})
}

func (b *logbook) all() []string {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return slices.Clone(b.lines)
}

func (b *logbook) withSecrets() []string {
	return slices.DeleteFunc(b.all(), func(line string) bool { return secretIn(line) == "" })
}

func secretIn(text string) string {
	for _, secret := range secrets {
		// JSON escapes <.
		if strings.Contains(strings.ReplaceAll(text, `\u003c`, "<"), secret) {
			return secret
		}
	}
	return ""
}

// eventbook stores events.
type eventbook struct {
	logbook
}

func (b *eventbook) Eventf(_, _ runtime.Object, kind, reason, _, note string, args ...any) {
	b.add(kind + " " + reason + " " + fmt.Sprintf(note, args...))
}
