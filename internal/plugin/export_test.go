package plugin

// PolicyNames is for tests.
var PolicyNames = policyNames
