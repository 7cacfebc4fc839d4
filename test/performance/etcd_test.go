package performance

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
)

// etcd is the control plane's etcd, by its HTTP gateway. Bytes are base64 there, and numbers are text.
type etcd struct{ url string }

// keyValue is one version of what is stored under a key.
type keyValue struct {
	Key         []byte `json:"key"`
	Value       []byte `json:"value"`
	ModRevision int64  `json:"mod_revision,string,omitempty"`
	Version     string `json:"version,omitempty"`
}

// orderKey is where kube-apiserver keeps an Order.
func orderKey(order *v1alpha1.Order) []byte {
	return []byte("/registry/wechatpay-operator.io/orders/" + order.Namespace + "/" + order.Name)
}

// sizes are those of all versions of a key, the last first. etcd keeps them until it is compacted.
func (e etcd) sizes(ctx context.Context, key []byte) (sizes []int, err error) {
	found := keyValue{Key: key, ModRevision: 1} // revision 0 is the latest
	for found.Version != "1" {
		var answer struct{ KVs []keyValue }
		if err := e.post(ctx, "/v3/kv/range", map[string]any{"key": key, "revision": found.ModRevision - 1}, &answer); err != nil {
			return nil, err
		}
		if len(answer.KVs) != 1 {
			return nil, fmt.Errorf("etcd has nothing under %s", key)
		}
		found = answer.KVs[0]
		sizes = append(sizes, len(found.Value))
	}
	return sizes, nil
}

// put writes values in one transaction: 128 at most, etcd's --max-txn-ops.
func (e etcd) put(ctx context.Context, values []keyValue) error {
	var puts []map[string]any
	for _, value := range values {
		puts = append(puts, map[string]any{"requestPut": value})
	}
	var answer struct{ Succeeded bool }
	err := e.post(ctx, "/v3/kv/txn", map[string]any{"success": puts}, &answer)
	if err == nil && !answer.Succeeded {
		err = fmt.Errorf("etcd did not take a transaction of %d puts", len(values))
	}
	return err
}

func (e etcd) post(ctx context.Context, path string, question, answer any) error {
	text, err := json.Marshal(question)
	if err != nil {
		return err
	}
	status, reply, err := request(ctx, http.DefaultClient, http.MethodPost, e.url+path, "application/json", string(text))
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("etcd's %s: %d %s", path, status, reply)
	}
	if err != nil {
		return err
	}
	return json.Unmarshal([]byte(reply), answer)
}
