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

	"github.com/wechatpay-operator/wechatpay-operator/hack/internal/process"
	"github.com/wechatpay-operator/wechatpay-operator/internal/testenv"
)

// operator is the operator's own binary at work.
type operator struct {
	*process.Process
	stage *stage
	// ready is how long it was from the start to the first yes of /readyz.
	ready time.Duration
}

// startOperator starts the operator with production's flags, and waits until it is ready.
func (s *stage) startOperator(ctx context.Context, more ...string) (*operator, error) {
	return s.startProgram(ctx, s.settings.manager, more...)
}

func (s *stage) startProgram(ctx context.Context, program string, more ...string) (*operator, error) {
	kubeconfig := filepath.Join(s.folder, "kubeconfig")
	if err := testenv.WriteKubeconfig(kubeconfig, s.identity, testenv.OperatorNamespace); err != nil {
		return nil, err
	}
	s.operators++
	arguments := append([]string{
		"--kubeconfig=" + kubeconfig, "--leader-elect", "--leader-election-namespace=" + testenv.OperatorNamespace,
		"--notify-bind-address=" + s.callbacks, "--metrics-bind-address=" + s.metrics, "--metrics-secure=false",
		"--health-probe-bind-address=" + s.health, "--pprof-bind-address=" + s.pprof, "--check-callbacks=false",
	}, more...)
	began := time.Now()
	name := fmt.Sprintf("operator-%d", s.operators)
	started, err := process.Start(name, filepath.Join(s.folder, name+".log"), program, arguments, func(*process.Process) {})
	if err != nil {
		return nil, err
	}
	o := &operator{Process: started, stage: s}
	err = await(ctx, "the operator to be ready", func(ctx context.Context) error {
		select {
		case <-o.Ended():
			return errors.New("it ended: " + o.Tail(3))
		default:
		}
		return get(ctx, "http://"+s.health+"/readyz", io.Discard)
	})
	o.ready = time.Since(began)
	if err != nil {
		return o, errors.Join(err, o.Stop())
	}
	return o, nil
}

// metric is the sum of a metric's series whose labels contain all of some texts, such as `state="Paid"`.
func (o *operator) metric(ctx context.Context, name string, labels ...string) (float64, error) {
	reader, writer := io.Pipe()
	defer func() { _ = reader.Close() }() // the writer stops
	go func() { writer.CloseWithError(get(ctx, "http://"+o.stage.metrics+"/metrics", writer)) }()
	sum, lines := 0.0, bufio.NewScanner(reader)
	for lines.Scan() {
		series, value, found := strings.Cut(lines.Text(), " ")
		if family, _, _ := strings.Cut(series, "{"); !found || family != name || !containsAll(series, labels) {
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
	if err := get(ctx, "http://"+o.stage.pprof+"/debug/pprof/heap?gc=1", io.Discard); err != nil {
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
