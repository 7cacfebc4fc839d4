// Package simulator simulates WeChat Pay (API v2 and v3) for tests, demonstrations and endurance
// runs.
//
// WeChat Pay offers no sandbox for orders and refunds, so this package simulates it: it verifies
// every request, signs its replies, keeps a ledger, sends callbacks, and fails on demand. It is
// written from the protocols alone and shares no code with the clients that it tests.
//
// Both protocols, and service-provider mode in both, work on one ledger: what one ordered the other
// can query, close and refund. The files wirev2_*.go and wirev3_*.go read and write one protocol
// each; the others know orders, refunds and money. A rule that both share refuses with a reason
// (reasons.go), which each wire says in its own words (wordsV2, wordsV3).
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
// # API v3
//
// A merchant with an APIV3Key speaks API v3. Its requests are signed with the key of a certificate
// that IssueClientCertificate issued or that Merchant.Certificates lists. Answers and callbacks are
// verified with Platform, by certificate or public key as Merchant.Verification says:
//
//	issued, err := wechat.IssueClientCertificate(mchID)
//	serial, err := issued.SerialNo()
//	keys := wechat.Platform() // keys.PublicKeyID, keys.PublicKeyPEM, keys.Certificates
//	...
//	wechat.RequestPayment(clientParameters, simulator.PayOptions{}) // verifies paySign, then pays
//	wechat.Notify(mchID, "TRANSACTION.SUCCESS", "transaction", content) // a callback to send by hand
//
// # As a separate process
//
// The command is cmd/simulator. Other processes use the admin API (plain HTTP and JSON on loopback)
// instead of method calls; AdminClient is its client.
//
// # Time
//
// TimeScale shortens every interval of WeChat Pay: with 60, the minute between two refunds of an
// order lasts a second, and a prepay_id is valid for two minutes. Rules overrides single intervals;
// an override is not scaled. Options.Now replaces the clock: work that becomes due because a test
// moved the clock is done within milliseconds, or at once if an API call needs its result.
//
// # Bills
//
// The bill of a day is made from the ledger. Days begin at midnight in Beijing by the simulator's
// clock, and a bill is there BillDelay (10 hours, scaled) after its day. It says what was known at the
// end of the day: a refund that was in progress stays so. Options.Now, or Rules.BillsOfToday, lets a
// test have one sooner.
//
// # Violations
//
// Ledger.Violations lists forbidden client behaviour, even where WeChat Pay only answers with an
// error: refunds in too short an interval, a number reused with other parameters, refunds above
// what was paid, a forged callback answered with SUCCESS. An endurance run should end with none.
package simulator
