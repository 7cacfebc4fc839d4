package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/test/framework/controlplane"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework/process"
)

// operator is the operator's own binary at work.
type operator struct {
	*process.Process
	stage *stage
	// at is where it serves.
	at addresses
	// ready is how long it was from the start to the first yes of /readyz.
	ready time.Duration
}

// addresses are where an operator serves.
type addresses struct {
	callbacks, metrics, health, pprof string
}

func freeAddresses() (a addresses, err error) {
	for _, address := range []*string{&a.callbacks, &a.metrics, &a.health, &a.pprof} {
		if *address, err = process.FreeAddress(); err != nil {
			return a, err
		}
	}
	return a, nil
}

// startOperator starts the operator with production's flags, and waits until it is ready.
func (s *stage) startOperator(ctx context.Context, more ...string) (*operator, error) {
	return s.startProgram(ctx, s.settings.manager, s.addresses, more...)
}

// startProgram starts a program with the operator's flags at some addresses.
func (s *stage) startProgram(ctx context.Context, program string, at addresses, more ...string) (*operator, error) {
	kubeconfig := filepath.Join(s.folder, "kubeconfig")
	if err := controlplane.WriteKubeconfig(kubeconfig, s.identity, controlplane.OperatorNamespace); err != nil {
		return nil, err
	}
	s.operators++
	arguments := append([]string{
		"--kubeconfig=" + kubeconfig, "--leader-elect", "--leader-election-namespace=" + controlplane.OperatorNamespace,
		"--notify-bind-address=" + at.callbacks, "--metrics-bind-address=" + at.metrics, "--metrics-secure=false",
		"--health-probe-bind-address=" + at.health, "--pprof-bind-address=" + at.pprof, "--check-callbacks=false",
		"--endpoint-hosts=127.0.0.1", // the simulator's
	}, more...)
	began := time.Now()
	name := fmt.Sprintf("operator-%d", s.operators)
	started, err := process.Start(name, filepath.Join(s.folder, name+".log"), program, arguments, func(*process.Process) {})
	if err != nil {
		return nil, err
	}
	o := &operator{Process: started, stage: s, at: at}
	err = await(ctx, "the operator to be ready", func(ctx context.Context) error {
		select {
		case <-o.Ended():
			return errors.New("it ended: " + o.Tail(3))
		default:
		}
		return get(ctx, "http://"+at.health+"/readyz", io.Discard)
	})
	o.ready = time.Since(began)
	if err != nil {
		return o, errors.Join(err, o.Stop())
	}
	return o, nil
}

// metric is the sum of a metric's series whose labels contain all of some texts, such as `state="Paid"`.
func (o *operator) metric(ctx context.Context, name string, labels ...string) (float64, error) {
	return sumOfSeries(ctx, http.DefaultClient, "http://"+o.at.metrics+"/metrics", name, func(series string) bool { return containsAll(series, labels) })
}

// sumOfSeries sums up the series of a metric that are wanted.
func sumOfSeries(ctx context.Context, by *http.Client, url, name string, wanted func(series string) bool) (float64, error) {
	reader, writer := io.Pipe()
	defer func() { _ = reader.Close() }() // the writer stops
	go func() { writer.CloseWithError(getBy(ctx, by, url, writer)) }()
	sum, lines := 0.0, bufio.NewScanner(reader)
	for lines.Scan() {
		series, value, found := strings.Cut(lines.Text(), "} ")
		if !found {
			series, value, found = strings.Cut(lines.Text(), " ")
		}
		if family, _, _ := strings.Cut(series, "{"); !found || family != name || !wanted(series) {
			continue
		}
		number, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", series, err)
		}
		sum += number
	}
	return sum, lines.Err()
}

func containsAll(text string, parts []string) bool {
	for _, part := range parts {
		if !strings.Contains(text, part) {
			return false
		}
	}
	return true
}

// heap is what is in use after a garbage collection, in bytes.
func (o *operator) heap(ctx context.Context) (float64, error) {
	if err := get(ctx, "http://"+o.at.pprof+"/debug/pprof/heap?gc=1", io.Discard); err != nil {
		return 0, err
	}
	return o.metric(ctx, "go_memstats_heap_alloc_bytes")
}

// get reads what a URL answers.
func get(ctx context.Context, url string, to io.Writer) error {
	return getBy(ctx, http.DefaultClient, url, to)
}

func getBy(ctx context.Context, by *http.Client, url string, to io.Writer) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := by.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, response.Status)
	}
	_, err = io.Copy(to, response.Body)
	return err
}

// awaitIdle waits until the operator has looked at all that was there when it started.
func (o *operator) awaitIdle(ctx context.Context) error {
	return await(ctx, "the operator to be idle", func(ctx context.Context) error {
		for _, metric := range []string{"workqueue_depth", "controller_runtime_active_workers"} {
			busy, err := o.metric(ctx, metric)
			if err != nil {
				return err
			}
			if busy > 0 {
				return fmt.Errorf("%s is %.0f", metric, busy)
			}
		}
		return nil
	})
}
