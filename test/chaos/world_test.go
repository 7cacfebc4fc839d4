package chaos_test

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
	weixin "github.com/wechatpay-operator/wechatpay-operator/internal/weixin/simulator"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework/conditions"
)

const (
	kindMerchant = "Merchant"
	kindOrder    = "Order"
	kindRefund   = "Refund"

	mchID    = "1900000109"
	appID    = "wxd678efh567hg6787"
	apiKey   = "Zx81TestOnlyKey0Zx81TestOnlyKey0"
	apiV3Key = "V3TestOnlyKey000V3TestOnlyKey000"
	// nextKey follows apiKey, or apiV3Key, in flows that rotate it.
	nextKey   = "Next81TestOnlyKeyNext81TestOnlyK"
	keySecret = "wechatpay"
	openID    = "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"
)

// The namespaces of a run: most flows use only home.
const (
	home      = ""
	elsewhere = "elsewhere"
	// tenantA and tenantB may use the Merchant at home, rival may not, and stranger has its own.
	tenantA  = "tenant-a"
	tenantB  = "tenant-b"
	rival    = "rival"
	stranger = "stranger"
)

// snapshot is the content of a namespace at one moment. It is immutable; each write makes a new
// one.
type snapshot map[key]client.Object

func (s snapshot) keys() []key {
	return slices.SortedFunc(maps.Keys(s), key.compare)
}

// birth replaces the random values that the API server gave an object.
type birth struct {
	uid     types.UID
	at      metav1.Time
	deleted *metav1.Time
}

// step is one effect that the operator is about to have.
type step struct {
	// api is true for a write to the API server, weixin for a call to api.weixin.qq.com; other steps
	// are calls to WeChat Pay.
	api bool
	// event: it is a delivery to an EventSink.
	event bool
	// ledger: it is a write to the ledger's database.
	ledger   bool
	weixin   bool
	verb, on string
	object   client.Object
}

func (s step) String() string { return s.verb + " " + s.on }

// world is one run: namespaces, a WeChat Pay, a clock, and the running process.
type world struct {
	suite     *suite
	flow      *flow
	cuts      []cut
	namespace string
	// places are those whose namespaces exist.
	places []string
	// events is the receiver of an EventSink; nil if the flow has none.
	events *receiver
	// ledger is the name of the ledger's database; empty if the flow has none.
	ledger  string
	clock   *clocktesting.FakeClock
	began   time.Time
	sim     *simulator.Simulator
	weixin  *weixin.Simulator
	network *network

	// turn is held by the active process, so that callbacks and reconciles do not interleave
	// randomly.
	turn       sync.Mutex
	leader     *process
	standIn    *process
	calledBack bool
	counting   bool
	// cutsMade is how many of the cuts were made; spoiled is the simulator's fault for the current
	// step.
	cutsMade int
	spoiled  string
	// steps are those of every leader while they are counted, including those after a cut.
	steps []step
	// nextSeen is the initial cache content of the next process.
	nextSeen  snapshot
	beginning snapshot
	starts    int

	mutex       sync.Mutex
	current     snapshot
	births      map[types.UID]*birth
	generations map[key]int
	processes   map[string]*process
	trace       []string
	violations  []violation
	// created are all objects that ever existed.
	created map[key]client.Object
	// asked are the parameters of the first call for each number.
	asked map[string]string
	// granted are the Orders that their Merchant ever permitted.
	granted map[key]bool
	// recorded says which object first showed a transaction, or that a refund was paid out.
	recorded map[string]key
	// checked counts how often each invariant was checked.
	checked map[invariant]int
}

func newWorld(s *suite, f *flow, cuts []cut) (*world, error) {
	// The API stores whole seconds; a run that started on a whole second would show times as equal
	// that differ in production.
	began := time.Now().Truncate(time.Second).Add(400 * time.Millisecond)
	w := &world{
		suite: s, flow: f, cuts: cuts, clock: clocktesting.NewFakeClock(began), began: began,
		current: snapshot{}, births: map[types.UID]*birth{}, generations: map[key]int{}, processes: map[string]*process{},
		created: map[key]client.Object{}, asked: map[string]string{}, granted: map[key]bool{}, recorded: map[string]key{}, checked: map[invariant]int{},
	}
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "explore-"}}
	if err := s.api.Create(context.Background(), namespace); err != nil {
		return nil, err
	}
	w.namespace, w.places = namespace.Name, []string{home}
	var err error
	if w.sim, err = simulate(w); err != nil {
		return nil, err
	}
	if w.weixin, err = simulateWeixin(w); err != nil {
		return nil, err
	}
	w.network = openNetwork(w)
	if f.events {
		w.network.openReceiver()
	}
	if f.ledger {
		if err := w.openLedger(); err != nil {
			return nil, err
		}
	}
	return w, s.createSecrets(w.namespace, apiKey, apiV3Key, s.certificate)
}

func (w *world) close() {
	w.closeLedger()
	w.closeReceiver()
	w.network.close()
	w.weixin.Close()
	_ = w.sim.Close()
}

// explored executes the run from start to rest.
func (w *world) explored() {
	w.turn.Lock()
	defer w.turn.Unlock()
	for _, stage := range w.flow.stages {
		if !w.counting && !stage.given {
			w.counting, w.beginning = true, w.objects()
		}
		if stage.do != nil {
			w.note("-- %s", stage.what)
			stage.do(w)
		}
		if w.leader == nil {
			w.restart()
		}
		if !stage.instant {
			w.settle(stage.until)
		}
		if len(w.cuts) == 0 && !stage.instant && stage.until != nil && !stage.until(w) {
			w.violate("%q does not come to what it is about", stage.what)
		}
	}
	if !w.flow.toTheEnd {
		w.counting = false
	}
	w.settle(func(*world) bool { return false })
	w.checkEnd()
	w.checkEvents()
	w.checkLedger()
	w.checkBooks()
}

const (
	// rest is how long nothing may be due before a run is over.
	rest = 48 * time.Hour
	// most limits the events in one stage; a run that exceeds it is a violation.
	most = 3000
)

// settle lets everybody act and time pass until a milestone is reached or nothing is due.
func (w *world) settle(until func(*world) bool) {
	for range most {
		w.network.arrive()
		w.deliver()
		switch {
		case w.leader.isDead():
			w.leader.closeLedger()
			w.clock.Step(w.restartDelay())
			w.restart()
			continue
		case w.leader.work(), w.leader.record(), w.leader.tell():
			continue
		case w.leader.seen != nil:
			w.note("%s: the cache catches up", w.leader.name)
			w.leader.seen = nil
			w.leader.relist()
			continue
		case until != nil && until(w):
			return
		}
		next, ok := w.nextEvent()
		if !ok || next.After(w.clock.Now().Add(rest)) {
			return
		}
		w.clock.SetTime(next)
	}
	w.violate("the run does not come to rest")
}

// restartDelay is how long nothing runs after a crash; it depends on the seed.
func (w *world) restartDelay() time.Duration {
	delays := []time.Duration{0, 20 * time.Second, 2 * time.Minute}
	return delays[(w.suite.seed+uint64(len(w.steps)))%uint64(len(delays))]
}

// restart starts a process that knows only what the API server and WeChat Pay return.
func (w *world) restart() {
	w.starts++
	p := newProcess(w, fmt.Sprintf("operator-%d", w.starts))
	if w.nextSeen != nil {
		p.seen, w.nextSeen = w.nextSeen, nil
		p.queue = map[key]time.Time{}
		p.relist()
	}
	w.register(p)
	w.leader = p
}

func (w *world) register(p *process) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.processes[p.name] = p
}

func (w *world) processNamed(name string) *process {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	return w.processes[name]
}

// receiver returns the process that receives callbacks.
func (w *world) receiver() *process {
	if w.standIn != nil {
		return w.standIn
	}
	return w.leader
}

// nextEvent returns when something is due next. Checks of a Merchant's Secrets every thirty seconds
// would dominate a run; they are made whenever something else is due, unless the Merchant itself is
// awaited.
func (w *world) nextEvent() (time.Time, bool) {
	var next time.Time
	consider := func(at time.Time) {
		if next.IsZero() || at.Before(next) {
			next = at
		}
	}
	for k, at := range w.leader.queue {
		if w.waitsForOthers(k) {
			continue
		}
		if merchant := w.merchant(k.place, k.name); k.kind == kindMerchant && merchant != nil && merchant.DeletionTimestamp == nil && isReady(merchant) {
			continue
		}
		if k.kind == kindMiniProgram || k.kind == kindEventSink {
			continue // it asks WeChat, or reads its Secret, from time to time, and nothing waits for that
		}
		consider(at)
	}
	if at := w.leader.eventDue; !at.IsZero() {
		consider(at)
	}
	for _, at := range w.network.onTheWay() {
		consider(at)
	}
	ledger := w.sim.Ledger()
	for _, callback := range ledger.Callbacks {
		if callback.State == simulator.CallbackPending && callback.NextAttempt != nil {
			consider(*callback.NextAttempt)
		}
	}
	for _, refund := range ledger.Refunds {
		if refund.SettleTime != nil {
			consider(*refund.SettleTime)
		}
	}
	return next, !next.IsZero()
}

// deliver delivers the callbacks that are due.
func (w *world) deliver() {
	for w.callbackDue() {
		w.turn.Unlock()
		<-time.After(time.Millisecond) // the simulator polls a clock that a test advances
		w.turn.Lock()
	}
}

func (w *world) callbackDue() bool {
	now := w.clock.Now()
	for _, callback := range w.sim.Ledger().Callbacks {
		if callback.State == simulator.CallbackPending && (callback.NextAttempt == nil || !callback.NextAttempt.After(now)) {
			return true
		}
	}
	return false
}

func (w *world) objects() snapshot {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	return w.current
}

// order, refund and merchant return the API server's object; nil if there is none.
func (w *world) order(place, name string) *v1alpha1.Order {
	found, _ := w.objects()[key{kindOrder, name, place}].(*v1alpha1.Order)
	return found
}

func (w *world) refund(name string) *v1alpha1.Refund { return w.refundAt(home, name) }

func (w *world) refundAt(place, name string) *v1alpha1.Refund {
	found, _ := w.objects()[key{kindRefund, name, place}].(*v1alpha1.Refund)
	return found
}

func (w *world) merchant(place, name string) *v1alpha1.Merchant {
	found, _ := w.objects()[key{kindMerchant, name, place}].(*v1alpha1.Merchant)
	return found
}

func (w *world) nowSeconds() metav1.Time { return metav1.NewTime(w.clock.Now().Truncate(time.Second)) }

// stored records the API server's current object.
func (w *world) stored(actual client.Object) {
	object := w.translated(actual)
	k := keyOf(object)
	w.put(k, object, isGone(object))
}

func isGone(object client.Object) bool {
	return object.GetDeletionTimestamp() != nil && len(object.GetFinalizers()) == 0
}

// refresh reads an object again, as after a deletion.
func (w *world) refresh(k key) {
	object := newObject(k.kind)
	err := w.suite.api.Get(context.Background(), client.ObjectKey{Namespace: w.namespaceOf(k.place), Name: k.name}, object)
	if apierrors.IsNotFound(err) {
		if known, ok := w.objects()[k]; ok {
			w.put(k, known, true)
		}
		return
	}
	w.must(err)
	w.stored(object)
}

func (w *world) put(k key, object client.Object, gone bool) {
	w.mutex.Lock()
	before := w.current[k]
	w.current = maps.Clone(w.current)
	if gone {
		delete(w.current, k)
	} else {
		w.current[k] = object
		w.created[k] = object
	}
	running := slices.SortedFunc(maps.Values(w.processes), func(a, b *process) int { return cmp.Compare(a.name, b.name) })
	w.mutex.Unlock()
	w.noteGrants()
	if !gone {
		w.checkFacts(object)
		w.noteFacts(object)
	}
	if before != nil && !gone {
		w.checkChange(before, object)
	}
	for _, p := range running {
		p.changed(k, object)
	}
}

// must aborts a run if the test's own operations fail.
func (w *world) must(err error) {
	if err != nil {
		panic(fmt.Sprintf("the exploration itself failed: %v\n%s", err, strings.Join(w.trace, "\n")))
	}
}

func (w *world) note(format string, args ...any) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.trace = append(w.trace, fmt.Sprintf("%10s  ", w.clock.Now().Sub(w.began).Round(time.Millisecond))+fmt.Sprintf(format, args...))
}

func (w *world) violate(format string, args ...any) { w.breaks(agreement, format, args...) }

func (w *world) breaks(of invariant, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	w.note("VIOLATION (%s) %s", of, text)
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.violations = append(w.violations, violation{of, text})
}

// holds counts a check of an invariant that could have failed.
func (w *world) holds(of invariant) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.checked[of]++
}

// summary describes an object in a trace.
func summary(object client.Object) string {
	var words []string
	for _, c := range conditions.Of(object) {
		words = append(words, fmt.Sprintf("%s=%s/%s", c.Type, c.Status, c.Reason))
	}
	slices.Sort(words)
	if object.GetDeletionTimestamp() != nil {
		words = append(words, "deleting")
	}
	return strings.Join(words, " ")
}
