package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
)

// etcd is the control plane's etcd, by its HTTP gateway: bytes are base64 there, and numbers text.
type etcd struct{ url string }

// keyValue is one version of what is stored under a key.
type keyValue struct {
	Key         []byte `json:"key"`
	Value       []byte `json:"value"`
	ModRevision string `json:"mod_revision,omitempty"`
	Version     string `json:"version,omitempty"`
}

// orderKey is where kube-apiserver keeps an Order.
func orderKey(namespace, name string) []byte {
	return []byte("/registry/wechatpay-operator.io/orders/" + namespace + "/" + name)
}

// get reads what is stored under a key, at a revision or, if that is 0, now.
func (e etcd) get(ctx context.Context, key []byte, revision int64) (keyValue, error) {
	var answer struct {
		KVs []keyValue `json:"kvs"`
	}
	question := map[string]any{"key": key, "revision": strconv.FormatInt(revision, 10)}
	if err := e.post(ctx, "/v3/kv/range", question, &answer); err != nil {
		return keyValue{}, err
	}
	if len(answer.KVs) != 1 {
		return keyValue{}, fmt.Errorf("etcd has nothing under %s", key)
	}
	return answer.KVs[0], nil
}

// historySize is the size of all versions of a key, which etcd keeps until it is compacted.
func (e etcd) historySize(ctx context.Context, key []byte) (size, versions int, err error) {
	for revision := int64(0); ; versions++ {
		stored, err := e.get(ctx, key, revision)
		if err != nil {
			return 0, 0, err
		}
		size += len(stored.Value)
		if stored.Version == "1" {
			return size, versions + 1, nil
		}
		written, err := strconv.ParseInt(stored.ModRevision, 10, 64)
		if err != nil {
			return 0, 0, fmt.Errorf("a revision of %s: %w", key, err)
		}
		revision = written - 1
	}
}

// put writes values in one transaction: 128 at most, etcd's --max-txn-ops.
func (e etcd) put(ctx context.Context, values []keyValue) error {
	puts := make([]map[string]any, len(values))
	for i := range values {
		puts[i] = map[string]any{"requestPut": values[i]}
	}
	var answer struct {
		Succeeded bool `json:"succeeded"`
	}
	if err := e.post(ctx, "/v3/kv/txn", map[string]any{"success": puts}, &answer); err != nil {
		return err
	}
	if !answer.Succeeded {
		return fmt.Errorf("etcd did not take a transaction of %d puts", len(values))
	}
	return nil
}

func (e etcd) post(ctx context.Context, path string, question, answer any) error {
	text, err := json.Marshal(question)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, e.url+path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("etcd's %s: %s", path, response.Status)
	}
	return json.NewDecoder(response.Body).Decode(answer)
}
