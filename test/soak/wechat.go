package main

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework/process"
)

// timeScale makes a minute of WeChat Pay last three seconds. The soak's operator uses the same
// factor.
const timeScale = "20"

// callbackSchedule has as many attempts as WeChat Pay's own, which would take over an hour even
// scaled.
const callbackSchedule = "250ms,250ms,500ms,3s,5s,10s,10s,10s,10s,10s,15s,15s,15s,15s,15s"

// startWeChat starts the simulator on fixed ports, with a ledger that survives restarts.
func startWeChat(ctx context.Context, folder, program string, seed uint64) (*child, *simulator.AdminClient, error) {
	var addresses [3]string
	for i := range addresses {
		address, err := process.FreeAddress()
		if err != nil {
			return nil, nil, err
		}
		addresses[i] = address
	}
	arguments := []string{
		"--listen=" + addresses[0], "--backup-listen=" + addresses[1], "--admin-listen=" + addresses[2],
		"--state=" + filepath.Join(folder, "wechat.jsonl"), "--certificates=" + filepath.Join(folder, "wechat"),
		"--time-scale=" + timeScale, "--callback-schedule=" + callbackSchedule, fmt.Sprintf("--fault-seed=%d", seed), "--log-level=warn",
	}
	arguments = append(arguments, merchantFlags()...)
	wechat := newChild(folder, "wechat", program, arguments...)
	if err := wechat.start(); err != nil {
		return wechat, nil, err
	}
	client := simulator.NewAdminClient("http://" + addresses[2])
	return wechat, client, await(ctx, "the simulated WeChat Pay", client.Health)
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

// addFaults adds the faults. A killed simulator has lost its faults, but not its ledger.
func addFaults(ctx context.Context, wechat *simulator.AdminClient) error {
	if err := wechat.ClearFaults(ctx); err != nil {
		return err
	}
	for _, fault := range wechatFaults() {
		if _, err := wechat.AddFault(ctx, fault); err != nil {
			return err
		}
	}
	return nil
}

// faultsStruck counts the faults that struck calls and callbacks, by kind.
func faultsStruck(ledger simulator.Ledger) map[string]int {
	struck := map[string]int{}
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
