package performance

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework/controlplane"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework/process"
)

const (
	// checkoutTurns is how often all buyers check out at once, each time by either way.
	checkoutTurns = 3
	// mostRetries bounds how often a page repeats what was answered with "try again".
	mostRetries = 20
)

// measureCheckout has people check out at once in examples/storefront, and the same number of bare clients create an
// Order and wait for it by one watch that they share: what is more than that is the storefront's.
func measureCheckout(b *bench) {
	s := b.open(scene{finalizerAtCreation: true})
	s.operate()
	front := s.openStorefront()
	var bare, through times
	for turn := range checkoutTurns {
		bare = append(bare, s.bareCheckouts(fmt.Sprintf("bare-%d", turn+1), flags.checkouts)...)
		through = append(through, front.checkouts(flags.checkouts)...)
		b.say("turn %d: bare p99 %.0f ms, storefront p99 %.0f ms, %d asked again", turn+1, bare.percentile(99), through.percentile(99), front.retries)
	}
	b.add("bare-p50", bare.percentile(50), "ms", "from the creation to Prepared, of %d Orders at once, %d times", flags.checkouts, checkoutTurns)
	b.add("bare-p99", bare.percentile(99), "ms", "of the same")
	b.add("p50", through.percentile(50), "ms", "from the page's request to what the payer needs, of %d checkouts at once, %d times", flags.checkouts, checkoutTurns)
	b.add("p99", through.percentile(99), "ms", "of the same; %d were answered that they try again, and are timed to their end", front.retries)
	b.add("p50-ratio", through.percentile(50)/bare.percentile(50), "x", "of the bare clients' time")
	b.add("p99-ratio", through.percentile(99)/bare.percentile(99), "x", "of the bare clients' time")
}

// bareCheckouts creates Orders at once, and times each until it is prepared.
func (s *stage) bareCheckouts(prefix string, count int) times {
	prepared := map[string]chan struct{}{}
	for i := range count {
		prepared[nameOf(prefix, i)] = make(chan struct{})
	}
	ctx, stop := context.WithCancel(s.ctx)
	defer stop()
	informers, err := cache.New(s.cluster.Config, cache.Options{Scheme: controlplane.Scheme(), DefaultNamespaces: map[string]cache.Config{shop: {}}})
	s.must(err)
	informer, err := informers.GetInformer(ctx, &v1alpha1.Order{}, cache.BlockUntilSynced(false))
	s.must(err)
	seen := map[string]bool{}
	_, err = informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{UpdateFunc: func(_, object any) {
		order := object.(*v1alpha1.Order)
		if waited := prepared[order.Name]; waited != nil && !seen[order.Name] && lifecycle.IsPrepared(order) {
			seen[order.Name] = true
			close(waited)
		}
	}})
	s.must(err)
	go func() { _ = informers.Start(ctx) }() // an informer that can't watch keeps the Orders waiting, which fails
	informers.WaitForCacheSync(ctx)
	return s.atOnce(count, func(i int) error {
		order := newOrder(shop, nameOf(prefix, i))
		order.Spec.TradeType, order.Spec.Payer = v1alpha1.TradeTypeNative, nil
		if err := s.cluster.Client.Create(s.ctx, order); err != nil {
			return err
		}
		select {
		case <-prepared[order.Name]:
			return nil
		case <-time.After(patience):
			return errors.New(order.Name + " was not prepared")
		}
	})
}

// atOnce does something so many times at once, and times each.
func (s *stage) atOnce(count int, do func(i int) error) times {
	all := make(times, count)
	var running errgroup.Group
	for i := range count {
		running.Go(func() error {
			began := time.Now()
			err := do(i)
			all[i] = time.Since(began)
			return err
		})
	}
	s.must(running.Wait())
	return all
}

// storefront is examples/storefront at work, under the role of examples/storefront/deploy.
type storefront struct {
	*stage
	base    string
	client  *http.Client
	mutex   sync.Mutex
	retries int
}

func (s *stage) openStorefront() *storefront {
	objects, err := controlplane.Kustomize(s.ctx, "examples/storefront/deploy")
	s.must(err)
	s.must(s.cluster.ServerSideApply(s.ctx, objects...))
	config, err := s.cluster.ServiceAccount(s.ctx, shop, "storefront")
	s.must(err)
	s.must(controlplane.WriteKubeconfig(s.file("storefront.kubeconfig"), config, shop))
	s.must(os.WriteFile(s.file("catalogue.yaml"), []byte("products: [{id: soap, name: 肥皂, price: 101, stock: 1000000}]"), 0o600))
	s.must(os.WriteFile(s.file("keys"), []byte(base64.StdEncoding.EncodeToString(slices.Repeat([]byte("k"), 32))), 0o600))
	pages, health := s.freeAddress(), s.freeAddress()
	started, err := process.Start("storefront", s.file("storefront.log"), inRepository("bin/storefront"), []string{
		"--kubeconfig=" + s.file("storefront.kubeconfig"), "--namespace=" + shop, "--merchant=" + shop, "--bind-address=" + pages,
		"--health-bind-address=" + health, "--catalogue=" + s.file("catalogue.yaml"), "--session-keys-file=" + s.file("keys"),
	}, func(*process.Process) {})
	s.must(err)
	s.Cleanup(func() { s.must(started.Stop()) })
	s.await("the storefront", soon, func() error {
		_, err := get(s.ctx, http.DefaultClient, "http://"+health+"/readyz")
		return err
	})
	return &storefront{stage: s, base: "http://" + pages, client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: flags.checkouts}}}
}

// storefrontAnswer is what a page reads.
type storefrontAnswer struct {
	Code           int
	Token, CodeURL string
}

// checkouts has new guests log in, then buy at once, and times the latter.
func (f *storefront) checkouts(count int) times {
	tokens := make([]string, count)
	f.atOnce(count, func(i int) error {
		answer, err := f.ask("/login", "", `{"source":"Browser"}`)
		tokens[i] = answer.Token
		return err
	})
	return f.atOnce(count, func(i int) error {
		for range mostRetries {
			answer, err := f.ask("/createdOrder", tokens[i], `{"id":"soap","num":1,"tradeType":"NATIVE","basket":"b-1"}`)
			switch {
			case err != nil:
				return err
			case answer.Code == 0 && answer.CodeURL != "":
				return nil
			case answer.Code != tryAgain:
				return fmt.Errorf("a checkout was answered with code %d", answer.Code)
			}
			f.mutex.Lock()
			f.retries++
			f.mutex.Unlock()
		}
		return errors.New("a checkout did not come to its end")
	})
}

// tryAgain is the storefront's code for a checkout that may be repeated.
const tryAgain = 5

func (f *storefront) ask(path, token, body string) (answer storefrontAnswer, err error) {
	request, err := http.NewRequestWithContext(f.ctx, http.MethodPost, f.base+path, strings.NewReader(body))
	if err != nil {
		return answer, err
	}
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := f.client.Do(request)
	if err != nil {
		return answer, err
	}
	defer response.Body.Close()
	return answer, json.NewDecoder(response.Body).Decode(&answer)
}
