// Package simulation is what the simulators of WeChat Pay and of api.weixin.qq.com have in common: how they
// listen, their admin API, when faults strike, and the file that keeps their records over restarts. It knows
// nothing of what they simulate.
package simulation
