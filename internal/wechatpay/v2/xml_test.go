package v2

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// Documents that must be rejected, besides the shared cases.
var refusedDocuments = []struct {
	name, document string
	label          documentError
}{
	{"one byte too long", "<xml><a>" + strings.Repeat("x", maxDocument-len("<xml><a></a></xml>")+1) + "</a></xml>", errTooLarge},
	{"only white space", " \n", errMalformed},
	{"byte order mark", "\uFEFF<xml></xml>", errMalformed},
	{"text before the root", "x<xml></xml>", errMalformed},
	{"end tag first", "</xml>", errMalformed},
	{"root never ends", "<xml>", errMalformed},
	{"root cut in its name", "<xm", errMalformed},
	{"root with an attribute", `<xml a="1"></xml>`, errBadFieldName},
	{"root with a name space", `<xml xmlns="urn:x"></xml>`, errBadFieldName},
	{"root in another's name", `<root></root>`, errWrongRoot},
	{"field with an attribute", `<xml><a b="1">1</a></xml>`, errBadFieldName},
	{"field with a prefix", `<xml><x:a>1</x:a></xml>`, errBadFieldName},
	{"field beyond ASCII", `<xml><金额>1</金额></xml>`, errBadFieldName},
	{"field with a letter beyond ASCII", `<xml><a额>1</a额></xml>`, errBadFieldName},
	{"field that begins with a digit", `<xml><1>1</1></xml>`, errMalformed},
	{"field without a name", `<xml><>1</></xml>`, errMalformed},
	{"twice, once empty", `<xml><a/><a>1</a></xml>`, errDuplicateField},
	{"three apart", `<xml><a>1</a><b>1</b><a>1</a></xml>`, errDuplicateField},
	{"CDATA under the root", `<xml><![CDATA[]]></xml>`, errUnexpectedText},
	{"text between fields", `<xml><a>1</a>x<b>1</b></xml>`, errUnexpectedText},
	{"reference under the root", `<xml>&#32;</xml>`, errUnexpectedText},
	{"comment in a value", `<xml><a>1<!-- -->00</a></xml>`, errUnexpectedComment},
	{"comment that never ends", `<xml><!-- </xml>`, errMalformed},
	{"comment with two hyphens", `<xml><!-- a -- b --></xml>`, errMalformed},
	{"document type in the root", `<xml><!DOCTYPE x></xml>`, errDoctype},
	{"document type in a value", `<xml><a><!ENTITY x "y"></a></xml>`, errDoctype},
	{"document type at the end", `<xml></xml><!DOCTYPE x>`, errDoctype},
	{"processing instruction in front", `<?php x?><xml></xml>`, errProcessingInstruction},
	{"processing instruction in the root", `<xml><?x y?></xml>`, errProcessingInstruction},
	{"processing instruction in a value", `<xml><a><?x y?></a></xml>`, errProcessingInstruction},
	{"processing instruction at the end", `<xml></xml><?x y?>`, errProcessingInstruction},
	{"declaration after white space", ` <?xml version="1.0"?><xml></xml>`, errProcessingInstruction},
	{"declaration twice", `<?xml version="1.0"?><?xml version="1.0"?><xml></xml>`, errProcessingInstruction},
	{"declaration of version 1.1", `<?xml version="1.1"?><xml></xml>`, errProcessingInstruction},
	{"declaration of another encoding", `<?xml version="1.0" encoding="UTF-7"?><xml></xml>`, errNotUTF8},
	{"end of CDATA in text", `<xml><a>]]></a></xml>`, errMalformed},
	{"reference without its end", `<xml><a>&amp</a></xml>`, errMalformed},
	{"reference to nothing", `<xml><a>&#;</a></xml>`, errMalformed},
	{"reference to half a character", `<xml><a>&#xD800;</a></xml>`, errMalformed},
	{"reference beyond Unicode", `<xml><a>&#x110000;</a></xml>`, errMalformed},
	{"reference with a sign", `<xml><a>&#+65;</a></xml>`, errMalformed},
	{"reference to a control character", `<xml><a>&#8;</a></xml>`, errMalformed},
	{"reference to a non-character", `<xml><a>&#xFFFF;</a></xml>`, errMalformed},
	{"non-character", "<xml><a>\uFFFE</a></xml>", errMalformed},
	{"end tag of another field", `<xml><a>1</b></xml>`, errMalformed},
	{"end tag with an attribute", `<xml><a>1</a b="1"></xml>`, errMalformed},
	{"root closed by another name", `<xml><a>1</a></html>`, errMalformed},
	{"value that never ends", `<xml><a>1`, errMalformed},
	{"lone opening bracket in a value", `<xml><a><</a></xml>`, errMalformed},
	{"end of the root after its end", `<xml></xml></xml>`, errTrailingData},
}

func TestReaderRefuses(t *testing.T) {
	for _, c := range refusedDocuments {
		t.Run(c.name, func(t *testing.T) {
			_, err := readFields([]byte(c.document), messageRoot, maxReplyFields)
			checkLabel(t, err, string(c.label))
			if _, err := oracleRead([]byte(c.document), messageRoot); err == nil {
				t.Error("the oracle takes it")
			}
		})
	}
}

func TestReaderTakes(t *testing.T) {
	for _, c := range []struct {
		name, document string
		want           map[string]string
	}{
		{"as long as may be", "<xml><a>" + strings.Repeat("x", maxDocument-len("<xml><a></a></xml>")) + "</a></xml>",
			map[string]string{"a": strings.Repeat("x", maxDocument-len("<xml><a></a></xml>"))}},
		{"nothing", "<xml/>", map[string]string{}},
		{"white space in tags", "<xml ><a\n>1</a ><b /></xml\t>", map[string]string{"a": "1", "b": ""}},
		{"comments between fields", "<!-- x --><xml><!----><a>1</a><!-- y --></xml><!-- z -->\n", map[string]string{"a": "1"}},
		{"declaration in lower case", `<?xml version='1.0' encoding='utf-8' standalone="yes" ?><xml></xml>`, map[string]string{}},
		{"a carriage return as a reference", "<xml><a>x&#13;&#xD;</a></xml>", map[string]string{"a": "x\r\r"}},
		{"many pieces", "<xml><a><![CDATA[]]>1<![CDATA[2]]>3&#52;<![CDATA[]]></a></xml>", map[string]string{"a": "1234"}},
		{"the last character of all", "<xml><a>&#x10FFFF;\uFFFD</a></xml>", map[string]string{"a": "\U0010FFFF\uFFFD"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := readFields([]byte(c.document), messageRoot, maxReplyFields)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, asMap(got)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestWriterRefuses(t *testing.T) {
	for name, value := range map[string]string{
		"carriage return": "a\rb", "carriage return and line feed": "a\r\nb", "leading space": " a", "trailing line feed": "a\n",
		"leading wide space": "　a", "NUL": "a\x00b", "escape": "a\x1bb", "non-character": "a\uFFFFb", "not UTF-8": "a\xffb",
	} {
		t.Run(name, func(t *testing.T) {
			err := newFields(field{"attach", value}).checkSendable()
			if err == nil || !strings.Contains(err.Error(), "attach") || strings.Contains(err.Error(), value) {
				t.Errorf("an error that names the field and not the value, got %v", err)
			}
		})
	}
	if err := newFields(field{"a", "1"}, field{"a", "1"}).checkSendable(); err == nil {
		t.Error("a field that is given twice")
	}
	if err := newFields(field{"a", "x\n\ty]]>&<z"}, field{"b", ""}).checkSendable(); err != nil {
		t.Errorf("nothing to refuse: %v", err)
	}
}

func TestWriterLeavesOutEmptyFieldsAndSplitsCDATA(t *testing.T) {
	got := string(newFields(field{"b", "]]>]]>"}, field{"a", ""}, field{"c", "1"}).encode())
	want := "<xml><b><![CDATA[]]]]><![CDATA[>]]]]><![CDATA[>]]></b><c><![CDATA[1]]></c></xml>"
	if got != want {
		t.Errorf("wrote\n%s\nnot\n%s", got, want)
	}
}

// sendableMessages draws messages that may be sent.
func sendableMessages() *rapid.Generator[map[string]string] {
	name := rapid.StringMatching(`[A-Za-z_][A-Za-z0-9_]{0,20}`)
	piece := rapid.OneOf(
		rapid.SampledFrom([]string{"]]>", "]]", ">", "<", "&", "&amp;", "<![CDATA[", "=", "\n", "\t", "中文", "𐍈", "<xml>", "-->", " ", "0"}),
		rapid.String(),
	)
	value := rapid.Map(rapid.SliceOfN(piece, 0, 6), func(pieces []string) string { return strings.Join(pieces, "") }).
		Filter(func(value string) bool { return newFields(field{"a", value}).checkSendable() == nil })
	return rapid.MapOf(name, value)
}

func TestWhatIsWrittenIsReadBackAndVerifies(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		message := sendableMessages().Draw(t, "message")
		delete(message, "sign")
		algorithm := rapid.SampledFrom([]wechatpay.Scheme{MD5, HMACSHA256}).Draw(t, "algorithm")
		key := newSigner(testKey)
		sorted := asFields(message)
		document := newFields(append(sorted, field{"sign", key.sign(sorted, algorithm)})...).encode()

		got, err := readFields(document, messageRoot, maxReplyFields)
		if err != nil {
			t.Fatalf("cannot read its own %q: %v", document, err)
		}
		want := signed(message, testKey, algorithm)
		for name, value := range want {
			if value == "" {
				delete(want, name)
			}
		}
		if diff := cmp.Diff(want, asMap(got)); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
		if !key.verifies(got, algorithm) {
			t.Fatal("its own signature does not verify")
		}
	})
}

func TestNeitherWayOfWritingMatters(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		message := sendableMessages().Draw(t, "message")
		got, err := readFields(oracleWrite(messageRoot, message), messageRoot, maxReplyFields)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(message, asMap(got)); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
	})
}

// agreeWithOracle fails if the parser and encoding/xml, restricted to the same dialect, differ
// about a document.
func agreeWithOracle(t testing.TB, document []byte, root string) {
	got, err := readFields(document, root, maxReplyFields)
	want, oracleErr := oracleRead(document, root)
	if (err == nil) != (oracleErr == nil) {
		t.Fatalf("%q: the reader says %v, the oracle %v", document, err, oracleErr)
	}
	if err != nil {
		return
	}
	if diff := cmp.Diff(want, asMap(got)); diff != "" {
		t.Fatalf("%q (-oracle +reader):\n%s", document, diff)
	}
}

func FuzzReadFields(f *testing.F) {
	for _, v := range vectors(f) {
		if strings.HasPrefix(v.Kind, "xml-") {
			f.Add(v.document(f))
		}
	}
	for _, c := range refusedDocuments {
		f.Add([]byte(c.document))
	}
	f.Fuzz(func(t *testing.T, document []byte) {
		agreeWithOracle(t, document, messageRoot)
		agreeWithOracle(t, document, refundInfoRoot)
	})
}

// TestReaderAgreesWithEncodingXML draws documents close to the dialect, which random bytes seldom
// are.
func TestReaderAgreesWithEncodingXML(t *testing.T) {
	piece := rapid.SampledFrom([]string{
		"<xml>", "</xml>", "<a>", "</a>", "<b>", "</b>", "<a/>", "<c />", "<xml/>", "<a", " ", "\n", "\r\n", "\r", "x", "1", "&amp;", "&#65;", "&#x41;",
		"&#0;", "&x;", "&", "<![CDATA[", "]]>", "<!-- c -->", "<!--", "-->", "--", "<!DOCTYPE xml>", "<?xml version=\"1.0\"?>", "<?p?>",
		"中", "\x00", "\xff", "\uFFFE", ":", "=\"1\"", "<x:a>", "</x:a>", "<", ">", "/", "-", ".", ";",
	})
	rapid.Check(t, func(rt *rapid.T) {
		body := strings.Join(rapid.SliceOfN(piece, 0, 8).Draw(rt, "pieces"), "")
		wrap := rapid.SampledFrom([]string{"%", "<xml>%</xml>", "<xml><a>%</a></xml>", "<xml><a>1</a>%<b>2</b></xml>"}).Draw(rt, "wrap")
		agreeWithOracle(t, []byte(strings.Replace(wrap, "%", body, 1)), messageRoot)
	})
}
