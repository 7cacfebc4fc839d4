// Package simulator is a WeChat Pay (API v2) for tests, demonstrations and endurance runs.
//
// WeChat offers no sandbox for unified orders and refunds, so this package plays WeChat's part: it verifies
// every request as WeChat does, signs its answers, keeps a ledger, calls the shop back, and fails on demand.
// It is written from the protocol alone and shares no code with the client it is used to test.
//
// # In a test
//
//	wechat, err := simulator.New(simulator.Options{
//		Merchants: []simulator.Merchant{{MchID: "1900000109", AppIDs: []string{"wxd678efh567hg6787"}, APIKey: key}},
//		TimeScale: 60, // a minute lasts a second
//	})
//	defer wechat.Close()
//	client := newClient(wechat.URL(), wechat.BackupURL(), wechat.CAPEM())
//	...
//	wechat.Pay("1900000109", "order-0001", simulator.PayOptions{})
//	wechat.AddFault(simulator.Fault{Operation: simulator.OperationRefund, Kind: simulator.FaultDrop, AfterEffect: true, Count: 1})
//	ledger := wechat.Ledger()
//
// # In a process of its own
//
// cmd/simulator is the command. What a test does by method calls, another process does through the admin
// API (plain HTTP and JSON on loopback), for which AdminClient is a client.
//
// # Time
//
// TimeScale shortens every interval that WeChat prescribes: with 60 the minute between two refunds of an order
// lasts a second, and a prepay_id lives two minutes. Rules overrides single intervals; an override is taken as it
// is and not scaled. Options.Now replaces the clock: work that becomes due because a test moved the clock is done
// within milliseconds, or at once when an API call needs its result.
//
// # Violations
//
// Ledger.Violations lists what the client did that WeChat does not like, even where WeChat merely answers with an
// error: refunds too close together, a number used again with other parameters, sums above what was paid, a forged
// callback answered with SUCCESS. An endurance run should end with none.
package simulator
