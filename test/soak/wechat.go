package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
	weixin "github.com/wechatpay-operator/wechatpay-operator/internal/weixin/simulator"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework/process"
)

// timeScale makes a minute of WeChat Pay last three seconds. The soak's operator uses the same
// factor.
const timeScale = "20"

// callbackSchedule has as many attempts as WeChat Pay's own, which would take over an hour even
// scaled.
const callbackSchedule = "250ms,250ms,500ms,3s,5s,10s,10s,10s,10s,10s,15s,15s,15s,15s,15s"

// weChat is the process that simulates WeChat Pay and api.weixin.qq.com, and the admin clients of
// both.
type weChat struct {
	*child
	pay    *simulator.AdminClient
	weixin *weixin.AdminClient
}

// startWeChat starts the simulators on fixed ports, with records that survive restarts.
func startWeChat(ctx context.Context, folder, program string, seed uint64) (*weChat, error) {
	addresses, err := process.FreeAddresses(5)
	if err != nil {
		return nil, err
	}
	arguments := []string{
		"--listen=" + addresses[0], "--backup-listen=" + addresses[1], "--admin-listen=" + addresses[2],
		"--state=" + filepath.Join(folder, "wechat.jsonl"), "--certificates=" + filepath.Join(folder, "wechat"),
		"--time-scale=" + timeScale, "--bills-of-today", "--callback-schedule=" + callbackSchedule, fmt.Sprintf("--fault-seed=%d", seed), "--log-level=warn",
		"--weixin-listen=" + addresses[3], "--weixin-admin-listen=" + addresses[4], "--weixin-state=" + filepath.Join(folder, "weixin.jsonl"),
	}
	arguments = append(arguments, merchantFlags()...)
	started := &weChat{
		child: newChild(folder, "wechat", program, arguments...),
		pay:   simulator.NewAdminClient("http://" + addresses[2]), weixin: weixin.NewAdminClient("http://" + addresses[4]),
	}
	if err := started.start(); err != nil {
		return started, err
	}
	return started, await(ctx, "the simulated WeChat Pay", started.pay.Health)
}

// merchantFlags tell the simulator of the accounts.
func merchantFlags() []string {
	var flags []string
	told := map[string]bool{}
	for _, a := range accounts {
		if a.partner != nil {
			flags = append(flags, "--sub-merchant="+a.mchID+":"+a.partner.SubMchID+":refund")
		}
		if told[a.mchID] {
			continue
		}
		told[a.mchID] = true
		flags = append(flags, "--mini-program="+a.appID+":"+appSecretOf(a.appID))
		if a.apiKey != "" {
			flags = append(flags, "--merchant="+a.mchID+":"+a.appID+":"+a.apiKey)
		}
		if a.apiV3Key != "" {
			flags = append(flags, "--merchant-v3="+a.mchID+":"+a.appID+":"+a.apiV3Key, "--verification="+a.mchID+":"+string(a.verification))
		}
	}
	return flags
}

// wechatFaults are random failures of WeChat Pay, each with its own small probability.
func wechatFaults() []simulator.Fault {
	var faults []simulator.Fault
	add := func(probability float64, fault simulator.Fault, operations ...simulator.Operation) {
		for _, operation := range operations {
			fault.Operation, fault.Probability = operation, probability
			faults = append(faults, fault)
		}
	}
	calls := []simulator.Operation{simulator.OperationUnifiedOrder, simulator.OperationOrderQuery, simulator.OperationCloseOrder, simulator.OperationRefund, simulator.OperationRefundQuery}
	callbacks := []simulator.Operation{simulator.OperationPaymentCallback, simulator.OperationRefundCallback}
	for _, after := range []bool{false, true} {
		add(0.02, simulator.Fault{Kind: simulator.FaultDrop, AfterEffect: after}, calls...)
		add(0.01, simulator.Fault{Kind: simulator.FaultSystemError, AfterEffect: after}, calls...)
		add(0.01, simulator.Fault{Kind: simulator.FaultHTML, AfterEffect: after}, calls...)
		add(0.005, simulator.Fault{Kind: simulator.FaultHang, AfterEffect: after}, calls...)
		add(0.01, simulator.Fault{Kind: simulator.FaultDelay, AfterEffect: after, DelayMillis: 1200}, calls...)
	}
	for _, kind := range []simulator.FaultKind{simulator.FaultRateLimited, simulator.FaultFrequencyLimited, simulator.FaultTruncate, simulator.FaultCut, simulator.FaultBadSignature, simulator.FaultUnsigned, simulator.FaultExtraFields} {
		add(0.01, simulator.Fault{Kind: kind}, calls...)
	}
	for _, kind := range []simulator.FaultKind{simulator.FaultSignTest, simulator.FaultUnknownSerial} {
		add(0.01, simulator.Fault{Kind: kind, Protocol: simulator.ProtocolV3}, calls...)
	}
	add(0.02, simulator.Fault{Kind: simulator.FaultWrongSubMchID, Protocol: simulator.ProtocolV3}, simulator.OperationOrderQuery, simulator.OperationRefundQuery)
	for _, kind := range []simulator.FaultKind{simulator.FaultDrop, simulator.FaultHTML, simulator.FaultSystemError, simulator.FaultSignTest, simulator.FaultTruncate} {
		add(0.1, simulator.Fault{Kind: kind}, simulator.OperationCertificates)
	}
	add(0.02, simulator.Fault{Kind: simulator.FaultWrongNumber}, simulator.OperationOrderQuery, simulator.OperationRefund, simulator.OperationRefundQuery)
	add(0.02, simulator.Fault{Kind: simulator.FaultNotEnough}, simulator.OperationRefund)
	add(0.02, simulator.Fault{Kind: simulator.FaultNeedRetry}, simulator.OperationRefund)
	add(0.03, simulator.Fault{Kind: simulator.FaultRefundClose}, simulator.OperationRefund)
	add(0.15, simulator.Fault{Kind: simulator.FaultLose}, callbacks...)
	add(0.10, simulator.Fault{Kind: simulator.FaultDuplicate}, callbacks...)
	add(0.10, simulator.Fault{Kind: simulator.FaultDelay, DelayMillis: 2500}, callbacks...)
	for _, kind := range []simulator.FaultKind{simulator.FaultForge, simulator.FaultWrongAmount, simulator.FaultWrongMchID, simulator.FaultIgnoreAnswer} {
		add(0.04, simulator.Fault{Kind: kind}, callbacks...)
	}
	for _, kind := range []simulator.FaultKind{
		simulator.FaultSignTest, simulator.FaultUnknownSerial, simulator.FaultReplay, simulator.FaultWrongKey, simulator.FaultWrongCurrency, simulator.FaultWrongSubMchID,
	} {
		add(0.04, simulator.Fault{Kind: kind, Protocol: simulator.ProtocolV3}, callbacks...)
	}
	add(0.04, simulator.Fault{Kind: simulator.FaultUnsigned, Protocol: simulator.ProtocolV3}, simulator.OperationRefundCallback)
	add(0.04, simulator.Fault{Kind: simulator.FaultUnsigned}, simulator.OperationPaymentCallback)
	add(0.04, simulator.Fault{Kind: simulator.FaultMD5, Protocol: simulator.ProtocolV2}, simulator.OperationPaymentCallback)
	return faults
}

// weixinFaults are random failures of api.weixin.qq.com.
func weixinFaults() []weixin.Fault {
	var faults []weixin.Fault
	add := func(probability float64, fault weixin.Fault, operations ...weixin.Operation) {
		for _, operation := range operations {
			fault.Operation, fault.Probability = operation, probability
			faults = append(faults, fault)
		}
	}
	calls := []weixin.Operation{weixin.OperationToken, weixin.OperationUpload, weixin.OperationGetOrder, weixin.OperationManaged}
	for _, after := range []bool{false, true} {
		add(0.05, weixin.Fault{Kind: weixin.FaultDrop, AfterEffect: after}, calls...)
		add(0.02, weixin.Fault{Kind: weixin.FaultHang, AfterEffect: after}, calls...)
		add(0.03, weixin.Fault{Kind: weixin.FaultHTML, AfterEffect: after}, calls...)
		add(0.03, weixin.Fault{Kind: weixin.FaultBusy, AfterEffect: after}, calls...)
		add(0.02, weixin.Fault{Kind: weixin.FaultDelay, AfterEffect: after, DelayMillis: 1200}, calls...)
	}
	add(0.05, weixin.Fault{Kind: weixin.FaultTruncate}, calls...)
	add(0.05, weixin.Fault{Kind: weixin.FaultRevoke}, weixin.OperationUpload, weixin.OperationGetOrder)
	add(0.05, weixin.Fault{Kind: weixin.FaultError, Errcode: weixin.CodePaymentNotFound, Errmsg: "支付单不存在"}, weixin.OperationUpload, weixin.OperationGetOrder)
	add(0.01, weixin.Fault{Kind: weixin.FaultError, Errcode: weixin.CodeTooFast, Errmsg: "api minute-quota reach limit"}, calls...)
	for _, code := range []weixin.Errcode{weixin.CodeAlreadyShipped, weixin.CodeNothingChanged, weixin.CodeNotShippable} {
		add(0.02, weixin.Fault{Kind: weixin.FaultError, Errcode: code, Errmsg: "假"}, weixin.OperationUpload)
	}
	return faults
}

// addFaults adds the faults. A killed simulator has lost its faults, but not its records.
func (w *weChat) addFaults(ctx context.Context) error {
	if err := w.clearFaults(ctx); err != nil {
		return err
	}
	for _, fault := range wechatFaults() {
		if _, err := w.pay.AddFault(ctx, fault); err != nil {
			return err
		}
	}
	for _, fault := range weixinFaults() {
		if _, err := w.weixin.AddFault(ctx, fault); err != nil {
			return err
		}
	}
	return nil
}

func (w *weChat) clearFaults(ctx context.Context) error {
	return errors.Join(w.pay.ClearFaults(ctx), w.weixin.ClearFaults(ctx))
}

// hasFaults reports whether all faults are set.
func (w *weChat) hasFaults(ctx context.Context) (bool, error) {
	pay, err := w.pay.Faults(ctx)
	if err != nil {
		return false, err
	}
	weixin, err := w.weixin.Faults(ctx)
	return len(pay) == len(wechatFaults()) && len(weixin) == len(weixinFaults()), err
}

// faultsStruck counts the faults that struck calls and callbacks, by kind.
func faultsStruck(ledger simulator.Ledger, journal weixin.Journal) map[string]int {
	struck := map[string]int{}
	for _, call := range journal.Calls {
		if call.Fault != "" {
			struck["weixin "+string(call.Operation)+" "+string(call.Fault)]++
		}
	}
	for _, call := range ledger.Calls {
		if call.Fault != "" {
			struck[string(call.Protocol)+" "+string(call.Operation)+" "+string(call.Fault)]++
		}
	}
	for _, callback := range ledger.Callbacks {
		for _, attempt := range callback.Attempts {
			if attempt.Fault != "" {
				struck[string(callback.Protocol)+" "+string(callback.Operation)+" "+string(attempt.Fault)]++
			}
		}
	}
	return struck
}
