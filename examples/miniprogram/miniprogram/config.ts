// Where the shop's backend is (examples/storefront). Its host has to be in the lists of the mini program's
// administration: "request 合法域名", and for the web-view "业务域名".
export const shopAddress = 'https://shop.example.com'

// The page of examples/h5, which the storefront serves with --static.
export const pageAddress = `${shopAddress}/`
