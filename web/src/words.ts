import { signal } from '@preact/signals'

export type Language = 'zh-CN' | 'en'

const stored = read('language')
export const language = signal<Language>(stored === 'en' || stored === 'zh-CN' ? stored : navigator.language.startsWith('zh') ? 'zh-CN' : 'en')

// Only choices are kept in the browser, never a token.
export function read(name: string): string {
  try {
    return localStorage.getItem(`wechatpay-console/${name}`) ?? ''
  } catch {
    return ''
  }
}

export function keep(name: string, value: string): void {
  try {
    localStorage.setItem(`wechatpay-console/${name}`, value)
  } catch {
    // a browser that keeps nothing
  }
}

// English first, then Chinese. {0} is filled in.
const words = {
  title: ['WeChat Pay console', '微信支付控制台'],
  skip: ['Skip to content', '跳到正文'],
  main: ['Main', '主导航'],
  orders: ['Orders', '订单'],
  order: ['Order', '订单'],
  refunds: ['Refunds', '退款'],
  refund: ['Refund', '退款'],
  merchants: ['Merchants', '商户'],
  merchant: ['Merchant', '商户'],
  statements: ['Statements', '对账单'],
  statement: ['Statement', '对账单'],
  shipments: ['Shipments', '发货'],
  events: ['Events', '事件'],
  yuan: ['yuan', '元'],
  language: ['中文', 'English'],
  toLight: ['Light', '浅色'],
  toDark: ['Dark', '深色'],
  namespace: ['Namespace', '命名空间'],
  change: ['Change', '切换'],
  open: ['Open', '打开'],
  logIn: ['Log in', '登录'],
  logOut: ['Log out', '退出'],
  token: ['Token', '令牌'],
  tokenHint: [
    'Paste a token, such as kubectl create token prints. It is checked by the API server and kept encrypted in a cookie that no script can read.',
    '粘贴令牌，例如 kubectl create token 打印的令牌。令牌由 API 服务器验证，加密保存在脚本无法读取的 Cookie 中。',
  ],
  sessionEnded: ['Your session has ended. Log in again.', '会话已结束，请重新登录。'],
  sessionEnds: ['Session ends at {0}', '会话于 {0} 结束'],
  reload: ['Load the page again', '重新加载'],
  signOutHint: ['If this page comes again after loading, log out: the login in front of the console still has the old token.', '如果重新加载后仍是此页，请退出：控制台前面的登录代理仍保存着旧令牌。'],
  namespaceHint: ['Which namespace are the Orders in? You see what your own rights let you see.', '订单在哪个命名空间？能看到什么由您自己的权限决定。'],
  badNamespace: ['A namespace has lower-case letters, digits and hyphens.', '命名空间只含小写字母、数字和连字符。'],
  number: ['Number', '单号'],
  orderNumber: ['Order number', '商户订单号'],
  refundNumber: ['Refund number', '商户退款单号'],
  transaction: ['Transaction', '微信支付订单号'],
  state: ['State', '状态'],
  type: ['Type', '类型'],
  amount: ['Amount', '金额'],
  created: ['Created', '创建时间'],
  paidAt: ['Paid at', '支付时间'],
  closesAt: ['Is closed at', '关单时间'],
  day: ['Day (Beijing)', '日期（北京时间）'],
  search: ['Search by number', '按单号查找'],
  searchHint: ['Order number or transaction', '商户订单号或微信支付订单号'],
  all: ['All', '全部'],
  open_: ['Waiting for payment', '待支付'],
  paid: ['Paid', '已支付'],
  ended: ['Closed or expired', '已关单或过期'],
  attention: ['Needs attention', '需要处理'],
  showing: ['{0} of {1}', '{0} / {1}'],
  more: ['Show more', '显示更多'],
  cut: ['There are more than the {0} that the page keeps, which are the first by name. kubectl get lists all.', '多于页面保留的 {0} 个（按名称的前 {0} 个）。kubectl get 会列出全部。'],
  olderCut: ['There are older ones than the {0} that the page keeps. kubectl get wxt lists all.', '另有早于页面保留的 {0} 个的对账单。kubectl get wxt 会列出全部。'],
  none: ['Nothing here.', '没有内容。'],
  loading: ['Loading …', '加载中…'],
  tooManyOrders: [
    'There are more Orders than the {0} that the page keeps. A search by a whole number finds each.',
    '订单超过页面保留的 {0} 个。按完整单号可以查到每一个。',
  ],
  found: ['Found by its number: ', '按单号找到：'],
  live: ['Live', '实时'],
  connecting: ['Connecting …', '连接中…'],
  lost: ['Connection lost; what is shown may be old. Trying again …', '连接中断，所示内容可能已过时。正在重试…'],
  announced: ['{0}: {1}', '{0}：{1}'],
  description: ['Description (shown to the payer)', '商品描述（付款人可见）'],
  descriptionShort: ['Description', '商品描述'],
  refunded: ['Refunded', '已退款'],
  refundedCount: ['{0} in {1} refunds', '{0}，共 {1} 笔'],
  left: ['Left to refund', '可退余额'],
  qr: ['QR code', '二维码'],
  qrHint: ['The payer scans it with WeChat. It works until {0}.', '付款人用微信扫码支付，{0} 前有效。'],
  saysWeChat: ['Conditions, and what WeChat Pay said', '状况与微信支付的说明'],
  since: ['Since', '起始时间'],
  message: ['Message', '说明'],
  reason: ['Reason (shown to the payer)', '退款原因（付款人可见）'],
  reasonShort: ['Reason', '退款原因'],
  requestedBy: ['Requested by', '申请人'],
  requestedUnknown: ['not recorded', '未记录'],
  decidedBy: ['Decided by', '审批人'],
  believed: [
    '“Requested by” and “Decided by” are verified only where the component four-eyes is installed. Elsewhere whoever may write Refunds can have written them.',
    '“申请人”和“审批人”只有安装了组件 four-eyes 才经过核实；否则有权写入退款的人都可能写上。',
  ],
  why: ['Why', '审批意见'],
  whyHint: ['Why (at most 256 characters; the payer does not see it)', '审批意见（最多 256 字，付款人不可见）'],
  whyNeeded: ['Say why it is denied.', '请填写拒绝的原因。'],
  approve: ['Approve', '批准'],
  deny: ['Deny', '拒绝'],
  waiting: ['Refunds that wait for a decision', '待审批的退款'],
  mayNot: ['You have no right to decide on Refunds here (verb approve; ClusterRole wechatpay-operator-approver).', '您无权在此审批退款（动词 approve，ClusterRole wechatpay-operator-approver）。'],
  approveTitle: ['Pay back {0}?', '退还 {0}？'],
  denyTitle: ['Deny this refund of {0}?', '拒绝这笔 {0} 的退款？'],
  final: ['A decision is final.', '审批后不可更改。'],
  approveNow: ['Yes, pay back {0}', '是，退还 {0}'],
  denyNow: ['Yes, deny', '是，拒绝'],
  cancel: ['Cancel', '取消'],
  paidSum: ['Paid', '实付'],
  otherRefunds: ['Other refunds', '其他退款'],
  otherSums: ['{0} refunded ({1}), {2} under way ({3}), {4} waiting for a decision ({5})', '已退 {0}（{1} 笔），进行中 {2}（{3} 笔），待审批 {4}（{5} 笔）'],
  leftAfter: ['{0}, and {1} after this one', '{0}，退此笔后 {1}'],
  careful: ['Careful:', '请注意：'],
  orderUnread: ['The Order could not be read, so what was paid is not known.', '无法读取订单，不知道实付金额。'],
  orderNotPaid: ['The Order is not paid. Once approved, the Refund is sent when it is.', '订单尚未支付。批准后，一旦支付就会退款。'],
  moreThanLeft: ['This is more than is left to refund. Once approved, it ends as ExceedsPaid unless another one fails.', '金额超过可退余额。批准后，除非另一笔失败，否则将以 ExceedsPaid 结束。'],
  paidUnusually: ['The Order was paid in an unusual way: {0}.', '订单的支付方式不寻常：{0}。'],
  moreRefunds: ['The Order has more Refunds than the {0} that were read, so what is left is not said. kubectl wechatpay reads all.', '订单的退款超过已读取的 {0} 笔，因此不显示可退余额。kubectl wechatpay 会读取全部。'],
  decided: ['{0} was {1}.', '{0}：{1}。'],
  changedMeanwhile: ['Somebody changed this Refund after it was shown to you. Nothing was sent. What changed:', '这笔退款在您查看之后被修改，尚未提交。变化如下：'],
  askAgain: ['Look at it, and confirm again if you still want to.', '请核对，仍要继续请再次确认。'],
  alreadyDecided: ['This Refund has been decided already: {0}.', '这笔退款已审批：{0}。'],
  beingDeleted: ['This Refund is being deleted; there is nothing to decide.', '这笔退款正在被删除，无需审批。'],
  needsNoDecision: ['This Refund needs no decision and cannot be held back any more: {0}.', '这笔退款无需审批，也无法再阻止：{0}。'],
  hasEnded: ['This Refund has ended as {0}; there is nothing to decide.', '这笔退款已结束（{0}），无需审批。'],
  policyMissing: [
    'The policy on approvals is not in force in this namespace. What is approved now is never sent. Ask who runs the operator to install config/policy, and approve then.',
    '此命名空间的审批策略未生效，现在批准的退款永远不会发出。请让 operator 的管理员安装 config/policy，之后再批准。',
  ],
  unknownSent: ['No answer came, so it is not known whether the decision was taken. It is looked at again; a repeat does no harm.', '没有收到答复，不知道审批是否生效。正在重新查看，重复提交没有影响。'],
  withoutCurrency: ['The Order can’t be read, so the currency is not known: {0} minor units.', '无法读取订单，不知道币种：{0}（最小货币单位）。'],
  accepted: ['Accepted', '受理时间'],
  succeeded: ['Succeeded', '退款成功时间'],
  certificateUntil: ['Certificate until', '证书有效期至'],
  merchantNumber: ['Merchant number', '商户号'],
  protocol: ['Protocol', '协议'],
  refundApproval: ['Refunds', '退款'],
  manual: ['need an approval', '需要审批'],
  automatic: ['are automatic', '自动退款'],
  logistics: ['Logistics', '物流方式'],
  parcels: ['Parcels', '包裹'],
  uploaded: ['Uploaded', '上传时间'],
  date: ['Day', '日期'],
  differences: ['Differences', '差异'],
  payments: ['Payments', '支付'],
  foreign: ['Of other systems', '其他系统'],
  fees: ['Fees', '手续费'],
  class: ['What differs', '差异类型'],
  bill: ['WeChat Pay’s bill', '微信支付账单'],
  here: ['Here', '本系统'],
  undecided: ['{0} near midnight are not decided yet.', '{0} 笔临近零点，尚未确定。'],
  listed: ['{0} of {1} differences are listed.', '列出 {1} 处差异中的 {0} 处。'],
  compared: ['Compared', '比对时间'],
  back: ['Back', '返回'],
  currency: ['Currency', '币种'],
  count: ['Count', '笔数'],
  // What an answer of the API server means.
  forbidden: ['You have no right to do or see this. An administrator of the namespace can give it (docs/console.md).', '您无权查看或执行此操作。命名空间管理员可以授权（见 docs/zh-CN/console.md）。'],
  notFound: ['It is not there (any more).', '不存在，或已被删除。'],
  conflict: ['It was changed meanwhile.', '已被他人修改。'],
  gone: ['The API server does not know any more where the watch ended. Everything is read again.', 'API 服务器已不记得监听的断点，正在重新读取。'],
  busy: ['Too many requests. It is tried again.', '请求过多，正在重试。'],
  away: ['The API server can’t be reached. It is tried again.', '无法连接 API 服务器，正在重试。'],
  other: ['The API server refused it.', 'API 服务器拒绝了请求。'],
  answer: ['Its words:', '原文：'],
} as const satisfies Record<string, readonly [string, string]>

export type Word = keyof typeof words

export function t(word: Word, ...values: (string | number)[]): string {
  return words[word][language.value === 'en' ? 0 : 1].replace(/\{(\d)\}/g, (_, i) => String(values[Number(i)] ?? ''))
}

// Reasons in Chinese. In English a reason is its own word. A kind before it where the same reason means something else.
const reasons: Record<string, string> = {
  Approved: '已批准', Automatic: '自动批准', Recovered: '微信支付已有此退款', Denied: '已拒绝', AwaitingApproval: '待审批',
  ApprovedUnguarded: '批准无效（当时审批策略未生效）', PolicyMissing: '审批策略未生效', PolicyNotVerified: '审批策略未核实', Pending: '等待处理',
  Prepared: '可以支付', AwaitingPayment: '待支付', Paid: '已支付', PaidLate: '关单后到账', PaidEarlier: '创建前已支付',
  PaidUnderOtherParameters: '以其他参数支付', AlreadyPaid: '此前已支付', Closing: '正在关单', Closed: '已关单', 'Refund/Closed': '退款已关闭',
  Expired: '已过期', 'Statement/Expired': '账单已过期', Rejected: '被微信支付拒绝', Refused: '被拒绝（未签名，会重试）', NumberInUse: '单号已被占用',
  UsedAtWeChat: '微信支付已有此单号', AmountMismatch: '金额不符', Mismatch: '与微信支付不一致', UnknownState: '未知状态', OutcomeUnknown: '结果未知',
  NotSent: '未发出', RateLimited: '被限频', MerchantNotReady: '商户不可用', NotPermitted: '未获商户允许', WriteRefused: '集群拒绝写入',
  Accepted: '已受理', Processing: '退款处理中', Succeeded: '退款成功', Abnormal: '退款异常', ExceedsPaid: '超过实付金额',
  InsufficientBalance: '商户余额不足', CertificateMissing: '缺少商户证书', OrderNotPaid: '订单未支付', OrderNotFound: '订单不存在',
  WaitingForTurn: '排队中', QueryFailed: '查询失败', Uploaded: '已上传发货信息', AlreadyShipped: '微信已有发货信息', NotYetKnown: '微信尚不知此支付',
  NothingLeft: '无法再次发货', NotShippable: '不可发货', Downloaded: '账单已下载', Empty: '当日无账单', Waiting: '等待账单', Creating: '账单生成中',
  Incomplete: '账单不完整', Balanced: '账目一致', Differs: '有差异', Undecided: '待定', NotCompared: '未比对', Ready: '就绪',
  Allowed: '可以调用', Guarded: '审批策略已生效', Reachable: '可以到达', NotChecked: '未检查', Recorded: '已记账', LedgerUnavailable: '账簿数据库不可用',
  RefundAccepted: '可以退款', NoRight: '无退款权限',
}

export function reasonWord(reason: string | undefined, kind = ''): string {
  if (!reason) return language.value === 'en' ? 'New' : '新建'
  if (language.value !== 'en') return reasons[`${kind}/${reason}`] ?? reasons[reason] ?? reason
  const text = reason.replace(/([a-z])([A-Z])/g, '$1 $2')
  return text.charAt(0) + text.slice(1).replace(/ [A-Z](?=[a-z])/g, (c) => c.toLowerCase())
}

const conditionWords: Record<string, string> = {
  Prepared: '可以支付', Paid: '支付', Approved: '审批', Accepted: '受理', Succeeded: '到账', AbnormalHandled: '异常处理', Uploaded: '发货信息',
  Ready: '就绪', CallsAllowed: '调用', CallbacksReachable: '回调', RefundsGuarded: '退款审批', RefundsAllowed: '退款权限', Recorded: '记账',
  Downloaded: '账单', Balanced: '对账',
}

export function conditionWord(type: string): string {
  return language.value === 'en' ? type.replace(/([a-z])([A-Z])/g, (_, a: string, b: string) => `${a} ${b.toLowerCase()}`) : (conditionWords[type] ?? type)
}
