package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/test/soak/judge"
)

// stored is the etcd prefix of the operator's kinds.
const (
	stored    = "/registry/wechatpay-operator.io/"
	storedEnd = "/registry/wechatpay-operator.io0"
	// marker is a key that is written to detect that everything before it was read.
	marker = stored + "soak"
)

// history reads every write of Merchants, Orders, Refunds, Shipments and Statements from etcd: a watch through an API
// server that is killed repeatedly would have gaps.
func history(ctx context.Context, etcdURL string) ([]judge.Change, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	revision, err := mark(ctx, etcdURL)
	if err != nil {
		return nil, fmt.Errorf("marking the end of the history: %w", err)
	}
	watch := map[string]any{"create_request": map[string]any{
		"key": encode(stored), "range_end": encode(storedEnd), "start_revision": "1", "prev_kv": true,
	}}
	response, err := post(ctx, etcdURL+"/v3/watch", watch)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	var changes []judge.Change
	for decoder := json.NewDecoder(response.Body); ; {
		var message watchMessage
		if err := decoder.Decode(&message); err != nil {
			return nil, fmt.Errorf("reading the history: %w", err)
		}
		if message.Result.Canceled {
			return nil, fmt.Errorf("reading the history: %s", message.Result.CancelReason)
		}
		for _, event := range message.Result.Events {
			if event.KV.ModRevision == revision {
				return changes, nil
			}
			change, err := event.change()
			if err != nil {
				return nil, err
			}
			if change != nil {
				changes = append(changes, *change)
			}
		}
	}
}

// watchMessage is a watch message of etcd's gateway; numbers are strings, bytes base64.
type watchMessage struct {
	Result struct {
		Canceled     bool         `json:"canceled"`
		CancelReason string       `json:"cancel_reason"`
		Events       []watchEvent `json:"events"`
	} `json:"result"`
}

type watchEvent struct {
	Type   string   `json:"type"`
	KV     keyValue `json:"kv"`
	PrevKV keyValue `json:"prev_kv"`
}

type keyValue struct {
	Key         []byte `json:"key"`
	Value       []byte `json:"value"`
	ModRevision string `json:"mod_revision"`
}

// kinds are empty objects by the names that etcd has for their kinds.
var kinds = map[string]client.Object{
	"merchants": &v1alpha1.Merchant{}, "orders": &v1alpha1.Order{}, "refunds": &v1alpha1.Refund{}, "shipments": &v1alpha1.Shipment{},
	"statements": &v1alpha1.Statement{},
}

// change returns nil for other kinds.
func (e watchEvent) change() (*judge.Change, error) {
	name, _, _ := strings.Cut(strings.TrimPrefix(string(e.KV.Key), stored), "/")
	kind, known := kinds[name]
	if !known {
		return nil, nil //nolint:nilnil // no change is not an error
	}
	change := &judge.Change{Object: kind.DeepCopyObject().(client.Object), Gone: e.Type == "DELETE"}
	value := e.KV.Value
	if change.Gone {
		value = e.PrevKV.Value
	}
	if err := json.Unmarshal(value, change.Object); err != nil {
		return nil, fmt.Errorf("%s: %w", e.KV.Key, err)
	}
	return change, nil
}

// mark writes the marker and returns its revision.
func mark(ctx context.Context, etcdURL string) (string, error) {
	response, err := post(ctx, etcdURL+"/v3/kv/put", map[string]any{"key": encode(marker), "value": encode(time.Now().String())})
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	var answer struct {
		Header struct {
			Revision string `json:"revision"`
		} `json:"header"`
	}
	err = json.NewDecoder(response.Body).Decode(&answer)
	return answer.Header.Revision, err
}

func post(ctx context.Context, url string, body any) (*http.Response, error) {
	text, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", url, response.Status)
		_ = response.Body.Close() // only the status is needed
	}
	return response, err
}

func encode(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }
