// Package simulation has the common parts of the simulators of WeChat Pay and of api.weixin.qq.com: servers, the admin
// API, the choice of faults, and the file that keeps their records over restarts. It does not depend on what they
// simulate.
package simulation
