package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
)

// turn is a change of an account, by WeChat Pay or by its owner, while Orders are under way. It ends
// in a state in which everything can converge.
type turn struct {
	name string
	// gap is the range of the time before it, and once tells whether it happens once only.
	gap  [2]time.Duration
	once bool
	do   func(*soak, context.Context, *rand.Rand) error
}

// turns run concurrently with each other and with the strikes.
var turns = []turn{
	{name: "V2 key rotated", gap: seldom, once: true, do: (*soak).rotateKey},
	{name: "APIv3 key rotated", gap: seldom, do: (*soak).rotateAPIV3Key},
	{name: "Merchant changed its protocol", gap: frequently, do: (*soak).changeProtocol},
	{name: "platform certificate rotated", gap: seldom, do: (*soak).rotatePlatformCertificate},
	{name: "moved from certificates to the public key", gap: seldom, once: true, do: (*soak).migrate},
	{name: "WeChat Pay's clock was wrong", gap: frequently, do: (*soak).skewClock},
	{name: "right to refund revoked and granted", gap: often, do: (*soak).revokeRefundRight},
}

var (
	frequently = [2]time.Duration{3 * time.Second, 12 * time.Second}
	often      = [2]time.Duration{5 * time.Second, 20 * time.Second}
	seldom     = [2]time.Duration{20 * time.Second, 50 * time.Second}
)

// beginTurns runs every turn until the strikes are over. A turn that has started is completed.
func (s *soak) beginTurns(ctx, striking context.Context, turning *sync.WaitGroup) {
	for i, t := range turns {
		turning.Go(func() {
			chance := rand.New(rand.NewPCG(s.seed, 1<<41+uint64(i)))
			for {
				pause(striking, between(chance, t.gap[0], t.gap[1]))
				if striking.Err() != nil {
					return
				}
				if err := t.do(s, ctx, chance); err != nil {
					if ctx.Err() == nil {
						s.memory.count("turns that failed: " + t.name + ": " + err.Error())
					}
					return
				}
				s.memory.count("turns: " + t.name)
				if t.once {
					return
				}
			}
		})
	}
}

func between(chance *rand.Rand, least, most time.Duration) time.Duration {
	return least + time.Duration(chance.Int64N(int64(most-least)))
}

// rotateKey resets the first account's key at WeChat Pay and writes the Secret a moment later: in
// between, WeChat Pay rejects every call.
func (s *soak) rotateKey(ctx context.Context, _ *rand.Rand) error {
	a, key := accounts[0], randomKey()
	err := await(ctx, "the reset of a key", func(ctx context.Context) error { return s.account.SetAPIKey(ctx, a.mchID, key) })
	return errors.Join(err, s.writeKey(ctx, a, "apiKey", key))
}

// rotateAPIV3Key does the same with an APIv3 key: in between, no callback can be decrypted.
func (s *soak) rotateAPIV3Key(ctx context.Context, chance *rand.Rand) error {
	a, key := byPublicKey, randomKey()
	err := await(ctx, "the reset of an APIv3 key", func(ctx context.Context) error { return s.account.SetAPIV3Key(ctx, a.mchID, key) })
	pause(ctx, between(chance, 0, 3*time.Second))
	return errors.Join(err, s.writeKey(ctx, a, "apiV3Key", key))
}

// randomKey has 32 letters and digits.
func randomKey() string { return fmt.Sprintf("%016x%016x", rand.Uint64(), rand.Uint64()) }

// writeKey writes a key into an account's Secret, and keeps the one before it.
func (s *soak) writeKey(ctx context.Context, a account, entry, key string) error {
	return await(ctx, "the Secret of a key", func(ctx context.Context) error {
		secret := &corev1.Secret{}
		if err := s.clients[admin].Get(ctx, client.ObjectKey{Namespace: a.namespace, Name: a.keySecret()}, secret); err != nil {
			return err
		}
		if string(secret.Data[entry]) == key {
			return nil // written by an attempt whose answer was lost
		}
		secret.Data[entry+".previous"], secret.Data[entry] = secret.Data[entry], []byte(key)
		return s.clients[admin].Update(ctx, secret)
	})
}

// changeProtocol changes the protocol of a Merchant to the other one.
func (s *soak) changeProtocol(ctx context.Context, _ *rand.Rand) error {
	return s.patchMerchant(ctx, moving, func(merchant *v1alpha1.Merchant) string {
		other := v1alpha1.ProtocolV3
		if merchant.Spec.Protocol == v1alpha1.ProtocolV3 {
			other = v1alpha1.ProtocolV2
		}
		return fmt.Sprintf(`{"spec":{"protocol":%q}}`, other)
	})
}

// patchMerchant writes a change that is drawn up once, so that a repetition does not reverse it.
func (s *soak) patchMerchant(ctx context.Context, a account, change func(*v1alpha1.Merchant) string) error {
	patch := ""
	return await(ctx, "a change of Merchant "+a.name, func(ctx context.Context) error {
		merchant := &v1alpha1.Merchant{}
		if err := s.clients[admin].Get(ctx, a.key(), merchant); err != nil {
			return err
		}
		if patch == "" {
			patch = change(merchant)
		}
		return s.clients[admin].Patch(ctx, merchant, client.RawPatch(types.MergePatchType, []byte(patch)))
	})
}

// rotatePlatformCertificate lists a new platform certificate, signs with both in turn, then with the new one, and
// removes the old ones. WeChat Pay lists a new one for a day before it signs with it; the soak waits some seconds.
func (s *soak) rotatePlatformCertificate(ctx context.Context, chance *rand.Rand) error {
	before, added := simulator.Platform{}, ""
	err := await(ctx, "a new platform certificate", func(ctx context.Context) (err error) {
		if before.PublicKeyID == "" {
			if before, err = s.account.Platform(ctx); err != nil {
				return err
			}
		}
		certificate, err := s.account.AddPlatformCertificate(ctx)
		added = certificate.SerialNo
		return err
	})
	if err != nil {
		return err
	}
	signers := []string{added}
	for _, old := range before.Certificates {
		signers = append(signers, old.SerialNo)
	}
	for _, signing := range [][]string{signers, {added}} {
		pause(ctx, between(chance, time.Second, 5*time.Second))
		err := await(ctx, "another signer", func(ctx context.Context) error { return s.account.SignWithPlatformCertificates(ctx, signing...) })
		if err != nil {
			return err
		}
	}
	return await(ctx, "the end of the old certificates", func(ctx context.Context) error {
		now, err := s.account.Platform(ctx)
		for _, certificate := range now.Certificates {
			if certificate.SerialNo != added {
				err = errors.Join(err, s.account.RemovePlatformCertificate(ctx, certificate.SerialNo))
			}
		}
		return err
	})
}

// migrate moves an account from platform certificates to the public key: WeChat Pay signs a part of
// the callbacks with it before the Merchant names it, then everything.
func (s *soak) migrate(ctx context.Context, chance *rand.Rand) error {
	set := func(verification simulator.Verification, share float64) error {
		return await(ctx, "another verification", func(ctx context.Context) error {
			return s.account.SetVerification(ctx, migrating.mchID, verification, share)
		})
	}
	if err := set(simulator.VerifyMigrating, 0.5); err != nil {
		return err
	}
	pause(ctx, between(chance, 3*time.Second, 8*time.Second))
	platform, err := publicKeysOf(ctx, s.account)
	for err != nil && ctx.Err() == nil {
		pause(ctx, time.Second)
		platform, err = publicKeysOf(ctx, s.account)
	}
	if err == nil {
		err = s.patchMerchant(ctx, migrating, func(*v1alpha1.Merchant) string {
			return fmt.Sprintf(`{"spec":{"publicKeys":[{"id":%q,"pem":%q}]}}`, platform[0].ID, platform[0].PEM)
		})
	}
	if err != nil {
		return err
	}
	pause(ctx, between(chance, 3*time.Second, 8*time.Second))
	return set(simulator.VerifyByPublicKey, 0)
}

// skews of WeChat Pay's clock: noticed from four minutes on, and refused from five on.
var skews = []time.Duration{
	3 * time.Minute, -3 * time.Minute, 4*time.Minute + 30*time.Second, -4*time.Minute - 30*time.Second, 6 * time.Minute, -6 * time.Minute, time.Hour,
}

// skewClock lets WeChat Pay's clock go wrong for some seconds.
func (s *soak) skewClock(ctx context.Context, chance *rand.Rand) error {
	set := func(skew time.Duration) error {
		return await(ctx, "WeChat Pay's clock", func(ctx context.Context) error { return s.account.SetClockSkew(ctx, skew) })
	}
	skew := skews[chance.IntN(len(skews))]
	err := set(skew)
	pause(ctx, between(chance, 3*time.Second, 8*time.Second))
	s.memory.count("clock skews of " + skew.String())
	return errors.Join(err, set(0))
}

// revokeRefundRight removes the right to refund for a sub merchant for some seconds.
func (s *soak) revokeRefundRight(ctx context.Context, chance *rand.Rand) error {
	set := func(granted bool) error {
		return await(ctx, "the right to refund", func(ctx context.Context) error {
			return s.account.SetRefundRight(ctx, wicks.mchID, wicks.partner.SubMchID, granted)
		})
	}
	err := set(false)
	pause(ctx, between(chance, 5*time.Second, 15*time.Second))
	return errors.Join(err, set(true))
}
