package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework/controlplane"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework/ingress"
	"github.com/wechatpay-operator/wechatpay-operator/test/soak/judge"
)

const (
	// patience is the timeout for one component to start on a busy machine.
	patience = 2 * time.Minute
	// lastBirth is the part of the strike phase in which Orders are created.
	lastBirth = 0.85
	// stillness is how long everything must stay settled: more than any interval after which
	// another call could follow.
	stillness = 15 * time.Second
)

// soak is everything that runs. close stops it, even if it is only partly started.
type soak struct {
	options
	folder string
	began  time.Time
	memory *memory

	control   *controlPlane
	database  *database
	wechat    *weChat
	account   *simulator.AdminClient
	replicas  []*replica
	ingress   *ingress.Ingress
	listener  *listener
	clients   map[string]client.Client
	merchants map[client.ObjectKey]*v1alpha1.Merchant
}

// play runs the whole soak.
func (s *soak) play(ctx context.Context) (*report, error) {
	fmt.Printf("Seed %d: %d Orders, %s of strikes.\n", s.seed, s.orders, s.duration)
	if err := s.setUp(ctx); err != nil {
		return nil, fmt.Errorf("setting up: %w", err)
	}
	ready := time.Now()
	fmt.Printf("%s: everything runs. Striking begins.\n", s.age())
	blows := &striker{
		chance: rand.New(rand.NewPCG(s.seed, 1<<40)), control: s.control, replicas: s.replicas, wechat: s.wechat.child, database: s.database, memory: s.memory,
		recover: s.rearm, dealt: map[string]int{},
	}
	lives, cancel := context.WithCancel(ctx)
	defer cancel()
	var living sync.WaitGroup
	s.beginLives(lives, &living)
	striking, over := context.WithTimeout(ctx, s.duration)
	var turning sync.WaitGroup
	s.beginTurns(ctx, striking, &turning)
	err := blows.strikeUntil(striking)
	over()
	turning.Wait()
	if err != nil || ctx.Err() != nil {
		return nil, errors.Join(err, ctx.Err())
	}
	calm := time.Now()
	fmt.Printf("%s: the last strike is over, and WeChat Pay works again.\n", s.age())
	if err := s.calmDown(ctx); err != nil {
		return nil, err
	}
	if _, _, err := s.converge(ctx, &living, cancel); err != nil {
		return nil, err
	}
	if err := s.makeStatements(ctx); err != nil { // nothing changes any more that their bills have
		return nil, err
	}
	verdict, evidence, err := s.converge(ctx, &living, cancel)
	if err != nil {
		return nil, err
	}
	settled := time.Now()
	fmt.Printf("%s: judged.\n", s.age())
	return s.report(ctx, verdict, evidence, blows, [4]time.Time{s.began, ready, calm, settled})
}

func (s *soak) age() time.Duration { return time.Since(s.began).Truncate(time.Second) }

// beginLives plans and starts all lives.
func (s *soak) beginLives(ctx context.Context, living *sync.WaitGroup) {
	for i := range s.orders {
		p := planLife(s.seed, i, time.Duration(float64(s.duration)*lastBirth))
		plans := []plan{p}
		if p.twin {
			plans = append(plans, p.twinPlan())
		}
		for n, p := range plans {
			l := &life{plan: p, shop: s.clients[shopOf(p.namespace)], approver: s.clients[approver], admin: s.clients[admin], clients: s.clients, wechat: s.account, ingress: s.ingress.URL, memory: s.memory, isTwin: n > 0}
			living.Go(func() { l.live(ctx, s.merchants[p.account.key()]) })
		}
	}
}

// rearm adds the faults again after the simulator was killed.
func (s *soak) rearm(ctx context.Context) error {
	return await(ctx, "the simulated WeChat Pay", func(ctx context.Context) error {
		if all, err := s.wechat.hasFaults(ctx); err != nil || all {
			return err
		}
		return s.wechat.addFaults(ctx)
	})
}

// calmDown ends all faults, and waits until everything is up.
func (s *soak) calmDown(ctx context.Context) error {
	if err := s.control.awaitReady(ctx); err != nil {
		return err
	}
	if err := await(ctx, "the simulated WeChat Pay", s.wechat.clearFaults); err != nil {
		return err
	}
	s.listener.calmDown()
	for _, r := range s.replicas {
		if err := await(ctx, r.name, func(ctx context.Context) error { _, err := get(ctx, r.health); return err }); err != nil {
			return err
		}
	}
	return nil
}

// converge waits until nothing is open, and then that it stays so. Meanwhile the lives end; those
// that wait for an object that may never be deleted are cancelled.
func (s *soak) converge(ctx context.Context, living *sync.WaitGroup, end context.CancelFunc) (judge.Verdict, judge.Evidence, error) {
	deadline := time.Now().Add(s.options.converge)
	lived := make(chan struct{})
	go func() { living.Wait(); close(lived) }()
	select {
	case <-lived:
	case <-time.After(s.options.converge / 2):
		end()
		<-lived
	case <-ctx.Done():
		return judge.Verdict{}, judge.Evidence{}, ctx.Err()
	}
	for still := false; ; {
		verdict, evidence, err := s.judge(ctx)
		switch {
		case ctx.Err() != nil:
			return verdict, evidence, ctx.Err()
		case err != nil:
			return verdict, evidence, err
		case time.Now().After(deadline), still && !verdict.Open():
			return verdict, evidence, nil
		case verdict.Open():
			still = false
			pause(ctx, 3*time.Second)
		default:
			still = true
			pause(ctx, stillness)
		}
	}
}

// judge collects the evidence and calls the judge.
func (s *soak) judge(ctx context.Context) (judge.Verdict, judge.Evidence, error) {
	evidence := s.memory.evidence()
	var err error
	if evidence.Sinks, err = givenUp(ctx, s.clients[admin]); err != nil {
		return judge.Verdict{}, evidence, err
	}
	if evidence.Books, err = s.books(ctx); err != nil {
		return judge.Verdict{}, evidence, err
	}
	evidence.Events = s.listener.taken() // before the history, which has what they tell
	if evidence.History, err = history(ctx, s.control.etcdURL); err != nil {
		return judge.Verdict{}, evidence, err
	}
	// The records of WeChat are read last, so that they contain everything that the objects show.
	if evidence.Weixin, err = s.wechat.weixin.Journal(ctx); err != nil {
		return judge.Verdict{}, evidence, err
	}
	if evidence.Ledger, err = s.account.Ledger(ctx); err != nil {
		return judge.Verdict{}, evidence, err
	}
	verdict := judge.Judge(evidence, time.Now())
	for _, r := range s.replicas {
		verdict.LookedAt[judge.ProcessesDoNotFail]++
		crashes, err := r.crashes()
		if err != nil {
			return verdict, evidence, err
		}
		if crashes > 0 {
			verdict.Findings = append(verdict.Findings, judge.Finding{Rule: judge.ProcessesDoNotFail, What: fmt.Sprintf("%d signs of a crash in %s", crashes, r.log)})
		}
	}
	return verdict, evidence, nil
}

func (s *soak) setUp(ctx context.Context) error {
	assets, err := controlplane.Assets()
	if err != nil {
		return err
	}
	if s.folder, err = os.MkdirTemp("", "wechatpay-operator-soak-"); err != nil {
		return err
	}
	weChatProgram, err := s.build(ctx, "simulator", "./cmd/simulator")
	if err != nil {
		return err
	}
	operatorProgram, err := s.build(ctx, "operator", s.operator)
	if err != nil {
		return err
	}
	if s.control, err = startControlPlane(ctx, s.folder, assets); err != nil {
		return err
	}
	if err := s.control.install(ctx, assets); err != nil {
		return err
	}
	s.clients = map[string]client.Client{}
	for _, user := range append(shops(), admin, approver) {
		if s.clients[user], err = s.control.client(user); err != nil {
			return err
		}
	}
	if s.wechat, err = startWeChat(ctx, s.folder, weChatProgram, s.seed); err != nil {
		return err
	}
	s.account = s.wechat.pay
	if s.database, err = startDatabase(s.folder); err != nil {
		return err
	}
	if s.replicas, s.ingress, err = startOperators(ctx, s.control, s.database, operatorProgram, s.clients[admin]); err != nil {
		return err
	}
	if s.merchants, err = openAccounts(ctx, s.clients[admin], s.account); err != nil {
		return err
	}
	if err := openStrangers(ctx, s.clients[admin], s.account); err != nil {
		return err
	}
	if err := openMiniPrograms(ctx, s.clients[admin], s.wechat); err != nil {
		return err
	}
	if s.listener, err = startListener(s.seed); err != nil {
		return err
	}
	if err := openSinks(ctx, s.clients[admin], s.listener); err != nil {
		return err
	}
	return s.wechat.addFaults(ctx)
}

// build compiles a command of the repository into the soak's folder, so that later changes of the
// source have no effect. It uses an existing binary as it is.
func (s *soak) build(ctx context.Context, name, folder string) (string, error) {
	if built, err := os.Stat(folder); err == nil && built.Mode().IsRegular() {
		return folder, nil
	}
	program := filepath.Join(s.folder, "bin", name)
	command := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-o", program, folder)
	command.Dir = controlplane.Root()
	if output, err := command.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building %s: %w\n%s", name, err, output)
	}
	return program, nil
}

// close stops the operator before its dependencies.
func (s *soak) close() error {
	var errs []error
	for _, r := range s.replicas {
		errs = append(errs, r.close())
	}
	if s.ingress != nil {
		errs = append(errs, s.ingress.Close())
	}
	if s.listener != nil {
		s.listener.close()
	}
	if s.wechat != nil {
		errs = append(errs, s.wechat.close())
	}
	errs = append(errs, s.database.close())
	if s.control != nil {
		errs = append(errs, s.control.close())
	}
	return errors.Join(errs...)
}

// await retries until there is no error or patience ends.
func await(ctx context.Context, what string, try func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		err := try(ctx)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("waiting for %s: %w", what, err)
		}
		pause(ctx, 200*time.Millisecond)
	}
}
