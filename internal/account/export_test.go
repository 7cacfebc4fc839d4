package account

// Prove records that WeChat accepted the key, as a verified answer does.
func (a *Account) Prove() { a.member.prove() }
