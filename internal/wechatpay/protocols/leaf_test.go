package protocols_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// wordsOfV2 are those by which API v2 would show outside of its package: its name, its wire format and algorithms, its paths, codes
// and fields. Numbers of ours (out_trade_no, out_refund_no), appid and prepay_id are called so by every protocol.
var wordsOfV2 = regexp.MustCompile(`wechatpay/v2"|encoding/xml|crypto/md5|\bXML\b|\bMD5\b|HMAC-SHA256|\bV2\b|APIv2|/notify/v2|` +
	`\b(unifiedorder|orderquery|closeorder|refundquery|total_fee|fee_type|refund_fee|mch_id|spbill_create_ip|return_code|result_code|REFUNDCLOSE|ORDERNOTEXIST)\b`)

// mayKnowV2 are what API v2 consists of, and what has to name it: the list of protocols, and the test callbacks, which look
// like callbacks of v2 to whatever stands in front of the operator.
var mayKnowV2 = []string{"internal/wechatpay/v2", "internal/wechatpay/v3", "internal/wechatpay/protocols", "internal/wechatpay/simulator", "internal/callbackprobe"}

// wordsOfV3 are those by which API v3 would show outside of its package.
var wordsOfV3 = regexp.MustCompile(`wechatpay/v3"|\bV3\b|APIv3|/v3/|WECHATPAY2-SHA256-RSA2048|PUB_KEY_ID_|AEAD_AES_256_GCM|(?i:Wechatpay-(Serial|Signature|Timestamp|Nonce))|` +
	`\b(payer_total|sp_mchid|sub_mchid|sp_appid|h5_url|original_type|RESOURCE_NOT_EXISTS|ORDER_NOT_EXIST)\b|TRANSACTION\.SUCCESS|REFUND\.(SUCCESS|CLOSED|ABNORMAL)`)

// mayKnowV3 are what API v3 consists of, and what has to name it.
var mayKnowV3 = []string{"internal/wechatpay/v3", "internal/wechatpay/v2", "internal/wechatpay/protocols", "internal/wechatpay/simulator", "internal/callbackprobe"}

// onlyHere are what no package but this one reads: the packages of the protocols, and the Merchant's references to their keys.
var onlyHere = regexp.MustCompile(`/internal/wechatpay/v\d+"|\bAPI(V\d+)?KeySecretRef\b`)

// isForeign finds imports of other repositories: the third version of somebody's module is no word of API v3.
var isForeign = regexp.MustCompile(`^\s*(\w+ )?"github\.com/[\w./-]+"$`)

const ours = `"github.com/wechatpay-operator/`

// TestOnlyTheProtocolKnowsItsWords keeps a protocol a leaf: another one is a folder and a line in the list.
func TestOnlyTheProtocolKnowsItsWords(t *testing.T) {
	for protocol, c := range map[string]struct {
		words   *regexp.Regexp
		mayKnow []string
	}{"v2": {wordsOfV2, mayKnowV2}, "v3": {wordsOfV3, mayKnowV3}} {
		t.Run(protocol, func(t *testing.T) {
			searchWords(t, "knows a word of API "+protocol, c.words, c.mayKnow, "controllers", "webhookserver", "internal", "main.go")
		})
	}
}

// TestOnlyProtocolsNamesThem: whoever else imports a protocol, or reads which Secret has its key, has to change with
// each new one.
func TestOnlyProtocolsNamesThem(t *testing.T) {
	searchWords(t, "knows a protocol by itself", onlyHere, []string{"internal/wechatpay/protocols"},
		"controllers", "webhookserver", "internal", "cmd", "main.go")
}

func searchWords(t *testing.T, knows string, words *regexp.Regexp, mayKnow []string, folders ...string) {
	root := filepath.Join("..", "..", "..")
	files := 0
	for _, folder := range folders {
		err := filepath.WalkDir(filepath.Join(root, folder), func(path string, entry fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			within, err := filepath.Rel(root, path)
			if err != nil {
				return err
			}
			if entry.IsDir() && slices.Contains(mayKnow, filepath.ToSlash(within)) {
				return filepath.SkipDir
			}
			if entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return nil
			}
			files++
			content, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			for i, line := range strings.Split(string(content), "\n") {
				if isForeign.MatchString(line) && !strings.Contains(line, ours) {
					continue
				}
				if word := words.FindString(line); word != "" {
					t.Errorf("%s:%d %s: %q", within, i+1, knows, word)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if files < 100 {
		t.Errorf("looked at %d files only", files)
	}
}
