package webhookserver

import (
	"net"
	"net/http"
	"testing"
)

// TestWhoHasToGo follows connections by name; the last word of a step is who has to make room.
func TestWhoHasToGo(t *testing.T) {
	t.Parallel()
	const settles http.ConnState = -1
	type step struct {
		who    string
		what   http.ConnState
		leaves string
	}
	fresh, active, idle, closed := http.StateNew, http.StateActive, http.StateIdle, http.StateClosed
	for name, steps := range map[string][]step{
		"the one that came first":           {{"a", fresh, ""}, {"b", fresh, ""}, {"c", fresh, "a"}, {"d", fresh, "b"}},
		"not who brought a header since":    {{"a", fresh, ""}, {"b", fresh, ""}, {"a", active, ""}, {"c", fresh, "b"}, {"d", fresh, "a"}},
		"not who is being settled":          {{"a", fresh, ""}, {"a", active, ""}, {"a", settles, ""}, {"b", fresh, ""}, {"c", fresh, "b"}, {"d", fresh, "c"}},
		"the newcomer when nobody can":      {{"a", fresh, ""}, {"b", fresh, ""}, {"a", settles, ""}, {"b", settles, ""}, {"c", fresh, "c"}},
		"who was settled, in turn":          {{"a", fresh, ""}, {"a", settles, ""}, {"b", fresh, ""}, {"a", idle, ""}, {"c", fresh, "b"}, {"d", fresh, "a"}},
		"nobody once one has left":          {{"a", fresh, ""}, {"b", fresh, ""}, {"a", closed, ""}, {"c", fresh, ""}},
		"nobody twice":                      {{"a", fresh, ""}, {"b", fresh, ""}, {"c", fresh, "a"}, {"a", active, ""}, {"a", settles, ""}, {"a", idle, ""}, {"a", closed, ""}, {"d", fresh, "b"}},
		"nobody for one that leaves itself": {{"a", fresh, ""}, {"b", fresh, ""}, {"b", settles, ""}, {"b", closed, ""}, {"b", settles, ""}, {"c", fresh, ""}},
	} {
		t.Run(name, func(t *testing.T) {
			c, known := newCrowd(2), map[string]net.Conn{}
			for i, s := range steps {
				if known[s.who] == nil {
					known[s.who], _ = net.Pipe()
				}
				var left net.Conn
				if s.what == settles {
					c.settles(known[s.who])
				} else {
					left = c.arrange(known[s.who], s.what)
				}
				if left != known[s.leaves] {
					t.Fatalf("step %d: another one than %q has to go", i, s.leaves)
				}
				if len(c.places) > 2 || c.waiting.Len() > len(c.places) {
					t.Fatalf("step %d: %d connections, %d waiting", i, len(c.places), c.waiting.Len())
				}
			}
		})
	}
}
