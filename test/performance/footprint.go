package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/prometheus/procfs"
	"k8s.io/client-go/rest"
)

// footprint is what a process has used so far; memory is in bytes.
type footprint struct {
	cpu time.Duration
	// peak is the most memory that was ever resident.
	rss, peak float64
}

func footprintOf(pid int) (footprint, error) {
	process, err := procfs.NewProc(pid)
	if err != nil {
		return footprint{}, err
	}
	stat, err := process.Stat()
	if err != nil {
		return footprint{}, err
	}
	status, err := process.NewStatus()
	return footprint{cpu: time.Duration(stat.CPUTime() * float64(time.Second)), rss: float64(stat.ResidentMemory()), peak: float64(status.VmHWM)}, err
}

// count is what an operator has done so far.
type count struct {
	at time.Time
	// polls are orderqueries, writes those to the API server but for the Lease.
	polls, writes float64
	// cpu of the operator and of kube-apiserver.
	cpu, apiServer time.Duration
}

// counted reads the counters. CPU is read last, so that what the reading costs falls before a window that begins with it.
func (o *operator) counted(ctx context.Context) (c count, err error) {
	if c.polls, err = o.metric(ctx, "wechatpay_requests_total", `operation="orderquery"`); err != nil {
		return c, err
	}
	if c.writes, err = o.stage.writes(ctx); err != nil {
		return c, err
	}
	used, err := footprintOf(o.PID())
	if err != nil {
		return c, err
	}
	all, err := usageOf()
	c.at, c.cpu, c.apiServer = time.Now(), used.cpu, all.cpu["kube-apiserver"]
	return c, err
}

// writes is how often anybody wrote an Order, Refund or Merchant, or an event, since the API server started.
func (s *stage) writes(ctx context.Context) (float64, error) {
	by, err := rest.HTTPClientFor(s.cluster.Config)
	if err != nil {
		return 0, err
	}
	defer by.CloseIdleConnections()
	return sumOfSeries(ctx, by, strings.TrimSuffix(s.cluster.Config.Host, "/")+"/metrics", "apiserver_request_total", func(series string) bool {
		return (strings.Contains(series, `group="wechatpay-operator.io"`) || strings.Contains(series, `resource="events"`)) &&
			!strings.Contains(series, `verb="GET"`) && !strings.Contains(series, `verb="LIST"`) && !strings.Contains(series, `verb="WATCH"`)
	})
}

// tempo is what an operator does in a second.
type tempo struct {
	polls, writes, cpu, apiServer float64
}

func (c count) since(before count) tempo {
	seconds := c.at.Sub(before.at).Seconds()
	return tempo{
		polls: (c.polls - before.polls) / seconds, writes: (c.writes - before.writes) / seconds,
		cpu: (c.cpu - before.cpu).Seconds() / seconds, apiServer: (c.apiServer - before.apiServer).Seconds() / seconds,
	}
}

func (p tempo) String() string {
	return fmt.Sprintf("%.1f polls/s, %.2f writes/s, %.1f %% of a core; kube-apiserver %.1f %%", p.polls, p.writes, 100*p.cpu, 100*p.apiServer)
}
