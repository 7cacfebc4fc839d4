package explore_test

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"hash/fnv"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/wechatpay-operator/wechatpay-operator/controllers"
	"github.com/wechatpay-operator/wechatpay-operator/internal/testenv"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
)

// What the exploration can be told by its environment.
const (
	// seedVariable chooses the part of the runs that the default form makes, and how long nobody works after a crash.
	seedVariable = "EXPLORE_SEED"
	// runsVariable is how many runs to make; "all" makes every one.
	runsVariable = "EXPLORE_RUNS"
	// onlyVariable makes one run again and prints its trace: flow/step/fault, as a violation names it.
	onlyVariable = "EXPLORE_ONLY"

	defaultRuns = 400
	workers     = 4 // most of a run is waiting for the API server
)

// suite is what the runs share.
type suite struct {
	api          client.Client
	manager      ctrl.Manager
	indexes      indexes
	certificates string
	pair         tls.Certificate
	certificate  simulator.ClientCertificate
	seed         uint64
	preparing    sync.Mutex
}

func openSuite(t *testing.T, seed uint64) *suite {
	env, err := testenv.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := env.Stop(); err != nil {
			t.Error(err)
		}
	})
	ctrl.SetLogger(logr.Discard())
	s := &suite{api: env.Client, indexes: indexes{}, certificates: t.TempDir(), seed: seed}
	// Never started: it is there because reconcilers are made ready by SetupWithManager.
	s.manager, err = ctrl.NewManager(env.Config, ctrl.Options{
		Scheme: testenv.Scheme(), Metrics: server.Options{BindAddress: "0"}, Controller: config.Controller{SkipNameValidation: ptr.To(true)},
	})
	if err == nil {
		err = controllers.SetupIndexes(context.Background(), s.indexes)
	}
	if err != nil {
		t.Fatal(err)
	}
	issuer, err := simulator.New(simulator.Options{CertificateDir: s.certificates})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = issuer.Close() }()
	if s.certificate, err = issuer.IssueClientCertificate(mchID); err != nil {
		t.Fatal(err)
	}
	if s.pair, err = s.certificate.TLS(); err != nil {
		t.Fatal(err)
	}
	return s
}

// prepare gives reconcilers their empty memory.
func (s *suite) prepare(reconcilers ...interface{ SetupWithManager(ctrl.Manager) error }) {
	s.preparing.Lock()
	defer s.preparing.Unlock()
	for _, r := range reconcilers {
		if err := r.SetupWithManager(s.manager); err != nil {
			panic(err)
		}
	}
}

func (s *suite) createSecrets(namespace string) error {
	for _, secret := range []*corev1.Secret{
		{ObjectMeta: metav1.ObjectMeta{Name: "wechatpay"}, Data: map[string][]byte{"apiKey": []byte(apiKey)}},
		{ObjectMeta: metav1.ObjectMeta{Name: "wechatpay-cert"}, Type: corev1.SecretTypeTLS,
			Data: map[string][]byte{corev1.TLSCertKey: s.certificate.CertPEM, corev1.TLSPrivateKeyKey: s.certificate.KeyPEM}},
	} {
		secret.Namespace = namespace
		if err := s.api.Create(context.Background(), secret); err != nil {
			return err
		}
	}
	return nil
}

func certificatePEM(certificate *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw})
}

// run is one run of a flow; without a cut it finds out what there is to cut.
type run struct {
	flow flow
	cut  *cut
	// want is the end of the uncut run.
	want string
}

func (r run) String() string { return r.flow.name + "/" + r.cut.String() }

// result is what a run came to.
type result struct {
	run        run
	steps      []step
	end        string
	trace      []string
	violations []string
}

func (s *suite) make(r run) result {
	w, err := newWorld(s, r.flow, r.cut)
	if err != nil {
		panic(err)
	}
	defer w.close()
	w.explored()
	end := w.end()
	if r.cut != nil && !r.cut.fault.otherEnd && !r.flow.otherEnd && end != r.want {
		w.violate("the run ends otherwise than the uncut one:\n%s\nnot:\n%s", end, r.want)
	}
	return result{run: r, steps: w.steps, end: end, trace: w.trace, violations: w.violations}
}

// makeAll makes runs, a few at a time, and hands their results on in order.
func (s *suite) makeAll(runs []run, take func(result)) {
	results := make([]chan result, len(runs))
	for i := range results {
		results[i] = make(chan result, 1)
	}
	var next sync.Mutex
	at := 0
	var working sync.WaitGroup
	for range workers {
		working.Go(func() {
			for {
				next.Lock()
				mine := at
				at++
				next.Unlock()
				if mine >= len(runs) {
					return
				}
				results[mine] <- s.make(runs[mine])
			}
		})
	}
	for i := range results {
		take(<-results[i])
	}
	working.Wait()
}

// cutsOf lists every cut of a flow: every fault that fits, at every step.
func cutsOf(uncut result) []run {
	var runs []run
	for i, s := range uncut.steps {
		for _, f := range faults() {
			if f.fits(uncut.run.flow, s) {
				runs = append(runs, run{flow: uncut.run.flow, cut: &cut{at: i + 1, what: s.String(), fault: f}, want: uncut.end})
			}
		}
	}
	return runs
}

func TestExplore(t *testing.T) {
	seed := uint64(1)
	if given := os.Getenv(seedVariable); given != "" {
		parsed, err := strconv.ParseUint(given, 10, 64)
		if err != nil {
			t.Fatalf("%s: %v", seedVariable, err)
		}
		seed = parsed
	}
	only := os.Getenv(onlyVariable)
	s := openSuite(t, seed)
	began := time.Now()

	violations := 0
	judge := func(r result) {
		if len(r.violations) > 0 {
			violations++
			t.Errorf("violation in %q (seed %d; again: %s=%d %s=%q):\n  %s\ntrace:\n%s", r.run, seed, seedVariable, seed, onlyVariable, r.run.String(),
				strings.Join(r.violations, "\n  "), strings.Join(r.trace, "\n"))
		} else if only == r.run.String() {
			t.Logf("trace of %s:\n%s\nend:\n%s", r.run, strings.Join(r.trace, "\n"), r.end)
		}
	}

	var uncut []run
	for _, f := range flows() {
		uncut = append(uncut, run{flow: f})
	}
	if only != "" {
		uncut = slices.DeleteFunc(uncut, func(r run) bool { return !strings.HasPrefix(only, r.flow.name+"/") })
	}
	var cuts []run
	points := 0
	s.makeAll(uncut, func(r result) {
		judge(r)
		points += len(r.steps)
		cuts = append(cuts, cutsOf(r)...)
		if testing.Verbose() {
			t.Logf("%-45s %2d steps: %v", r.run.flow.name, len(r.steps), r.steps)
		}
	})
	every := len(cuts)
	cuts = choose(cuts, seed, only)
	made, flow := 0, ""
	s.makeAll(cuts, func(r result) {
		if testing.Verbose() && flow != r.run.flow.name {
			flow = r.run.flow.name
			t.Logf("%4d runs made in %s; next: %s", made, time.Since(began).Round(time.Second), flow)
		}
		made++
		judge(r)
	})
	t.Logf("figures: explored %d flows, %d points, %d of %d runs: %d violations (seed %d, %s)",
		len(uncut), points, len(cuts), every, violations, seed, time.Since(began).Round(time.Second))
}

// choose takes the runs that are to be made. The seed says which ones; the order in which they are made stays that of the flows.
func choose(cuts []run, seed uint64, only string) []run {
	if only != "" {
		return slices.DeleteFunc(cuts, func(r run) bool { return r.String() != only })
	}
	wanted := defaultRuns
	switch given := os.Getenv(runsVariable); given {
	case "":
	case "all":
		return cuts
	default:
		if parsed, err := strconv.Atoi(given); err == nil {
			wanted = parsed
		}
	}
	if len(cuts) <= wanted {
		return cuts
	}
	lot := func(r run) uint64 {
		hash := fnv.New64a()
		_, _ = fmt.Fprintf(hash, "%d/%s", seed, r)
		return hash.Sum64()
	}
	drawn := slices.Clone(cuts)
	slices.SortFunc(drawn, func(a, b run) int { return cmp.Compare(lot(a), lot(b)) })
	limit := lot(drawn[wanted])
	return slices.DeleteFunc(cuts, func(r run) bool { return lot(r) >= limit })
}
