package bills

import (
	"bufio"
	"compress/gzip"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"strings"
)

// Expected describes the download.
type Expected struct {
	// MaxBytes is the largest permitted size of the unpacked bill.
	MaxBytes int64
	// HashType is WeChat's name of the algorithm. It must be SHA1, or empty if WeChat announced no hash.
	HashType string
	// Hash is the hexadecimal hash of the unpacked bill.
	Hash string
	// OrPacked: WeChat does not say whether the hash is of the unpacked or of the packed bill, so either matches.
	OrPacked bool
}

// SHA1 is the only hash type of WeChat Pay.
const SHA1 = "SHA1"

// ExpectDigest returns the hash in a Digest header ("SHA=" and hexadecimal digits). Without the header no hash is
// expected.
func ExpectDigest(header string) Expected {
	if header == "" {
		return Expected{}
	}
	algorithm, digest, _ := strings.Cut(header, "=")
	if strings.EqualFold(algorithm, "SHA") {
		algorithm = SHA1
	}
	return Expected{HashType: algorithm, Hash: digest, OrPacked: true}
}

// packedSlack is how much larger than MaxBytes the packed file may be: gzip makes incompressible data a little larger.
// Without a limit, a file that unpacks to nothing could be endless.
const packedSlack = 1 << 20

// Body is the text of a bill, unpacked and checked while it is read. Only io.EOF shows that it is complete.
type Body struct {
	from         *source
	unpacked     io.Reader
	packedHash   hash.Hash
	unpackedHash hash.Hash
	expected     Expected
	size         int64
	packed       bool
	err          error
}

// Open starts to read a download. It unpacks the file if it begins with gzip's magic number, even if gzip was not
// requested. An error of the source is returned as it is; all other errors are *Refused.
func Open(download io.Reader, expected Expected) (*Body, error) {
	if expected.HashType != "" && !strings.EqualFold(expected.HashType, SHA1) {
		return nil, refuse(ReasonHash, "WeChat Pay announced a hash that is not SHA1, so the bill can't be checked")
	}
	b := &Body{expected: expected, packedHash: sha1.New(), unpackedHash: sha1.New()}
	b.from = &source{reader: io.LimitReader(download, expected.MaxBytes+packedSlack), hash: b.packedHash}
	buffered := bufio.NewReader(b.from)
	magic, err := buffered.Peek(2)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	b.unpacked = buffered
	if len(magic) == 2 && magic[0] == 0x1f && magic[1] == 0x8b {
		b.packed = true
		if b.unpacked, err = gzip.NewReader(buffered); err != nil {
			return nil, b.unpackingFailed(err)
		}
	}
	return b, nil
}

// Read returns the unpacked text.
func (b *Body) Read(into []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	n, err := b.unpacked.Read(into)
	b.size += int64(n)
	_, _ = b.unpackedHash.Write(into[:n])
	switch {
	case b.size > b.expected.MaxBytes:
		b.err = refuse(ReasonTooLarge, fmt.Sprintf("it has more than %d bytes", b.expected.MaxBytes))
		return 0, b.err
	case err == nil:
		return n, nil
	case errors.Is(err, io.EOF):
		b.err = b.checkHash()
	default:
		b.err = b.unpackingFailed(err)
	}
	return n, b.err
}

// Size returns how many bytes were read.
func (b *Body) Size() int64 { return b.size }

// Hash returns the SHA-1 of the unpacked text that was read, in hexadecimal digits.
func (b *Body) Hash() string { return hex.EncodeToString(b.unpackedHash.Sum(nil)) }

// unpackingFailed distinguishes a broken connection, after which the same download may succeed, from a broken file.
func (b *Body) unpackingFailed(err error) error {
	if b.from.err != nil {
		return b.from.err
	}
	if !b.packed {
		return err
	}
	return refuse(ReasonGzip, "it can't be unpacked: it was cut or changed on the way")
}

func (b *Body) checkHash() error {
	if b.expected.HashType == "" {
		return io.EOF
	}
	for _, sum := range []string{b.Hash(), hex.EncodeToString(b.packedHash.Sum(nil))} {
		if strings.EqualFold(strings.TrimSpace(b.expected.Hash), sum) {
			return io.EOF
		}
		if !b.expected.OrPacked {
			break
		}
	}
	return refuse(ReasonHash, "its SHA-1 is not the one that WeChat Pay announced: it was cut or changed on the way")
}

// source hashes a download, and remembers the error that ended it.
type source struct {
	reader io.Reader
	hash   hash.Hash
	err    error
}

func (s *source) Read(into []byte) (int, error) {
	n, err := s.reader.Read(into)
	_, _ = s.hash.Write(into[:n])
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	return n, err
}
