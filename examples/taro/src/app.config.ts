export default defineAppConfig({
  pages: ['pages/shop/shop', 'pages/orders/orders', 'pages/Pay/Pay', 'pages/web/web'],
  window: {
    navigationBarTitleText: '肥皂店',
    navigationBarBackgroundColor: '#ffffff',
    navigationBarTextStyle: 'black',
    backgroundColor: '#f5f5f5',
  },
  tabBar: {
    color: '#595959',
    selectedColor: '#06733f',
    list: [
      { pagePath: 'pages/shop/shop', text: '商品' },
      { pagePath: 'pages/orders/orders', text: '订单' },
    ],
  },
})
