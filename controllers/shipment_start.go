package controllers

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/account"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
	"github.com/wechatpay-operator/wechatpay-operator/internal/miniprogram"
)

// findOrder fetches the Order.
func (r *ShipmentReconciler) findOrder(ctx context.Context, s *shipment) progress {
	s.order = &v1alpha1.Order{}
	err := r.Client.Get(ctx, types.NamespacedName{Namespace: s.Namespace, Name: s.Spec.OrderRef.Name}, s.order)
	if apierrors.IsNotFound(err) {
		return r.wait(ctx, s, v1alpha1.ReasonOrderNotFound, fmt.Sprintf(
			"Order %s does not exist in namespace %s. The Shipment is uploaded once the Order exists and is paid; delete the Shipment if it is not wanted", s.Spec.OrderRef.Name, s.Namespace), done())
	}
	if err != nil {
		return failed(err)
	}
	return next()
}

// awaitPayment waits until the Order is paid: WeChat must not be told that something was shipped that
// nobody has paid.
func (r *ShipmentReconciler) awaitPayment(ctx context.Context, s *shipment) progress {
	if lifecycle.IsPaid(s.order) {
		return next()
	}
	return r.wait(ctx, s, v1alpha1.ReasonOrderNotPaid, fmt.Sprintf(
		"Order %s is not paid: its condition Paid is %s. The Shipment is uploaded once it is", s.order.Name, lifecycle.PaidReason(s.order)), done())
}

// findMerchant fetches the Merchant, whose number names the order at WeChat.
func (r *ShipmentReconciler) findMerchant(ctx context.Context, s *shipment) progress {
	merchant, err := account.OfParticipant(ctx, r.Client, s.order)
	if problem, isProblem := account.AsProblem(err); isProblem {
		return r.wait(ctx, s, v1alpha1.ReasonMerchantNotReady, problem.Message, again(r.Timing.SecretsCheck))
	}
	if err != nil {
		return failed(err)
	}
	s.merchant = merchant
	return next()
}

// findMiniProgram finds the MiniProgram of the appid in which the payer paid.
func (r *ShipmentReconciler) findMiniProgram(ctx context.Context, s *shipment) progress {
	appID := lifecycle.PayerAppID(s.order, s.merchant)
	found, err := miniprogram.FindForOrder(ctx, r.Client, s.order, s.merchant)
	if err != nil {
		return failed(err)
	}
	if found == nil {
		// A grant by a Namespace's label causes no event.
		return r.wait(ctx, s, v1alpha1.ReasonMiniProgramNotFound, fmt.Sprintf(
			"The payer paid under appid %s, and namespace %s may use no MiniProgram of it: create one here, or have the owner of the Merchant's namespace create one there that allows this namespace in its spec.allowedNamespaces", appID, s.Namespace),
			again(r.Timing.SecretsCheck))
	}
	s.miniProgram = found
	return next()
}

// takeSlot takes a slot for calls, before anything is read that is not in the cache: the waiting
// Shipments of one namespace must neither keep those of others waiting nor load the API server.
func (r *ShipmentReconciler) takeSlot(ctx context.Context, s *shipment) progress {
	release, acquired := r.MiniPrograms.AcquireSlot(ctx, s.miniProgram.Namespace, s.Namespace)
	if !acquired {
		return again(slotPause + rand.N(slotPause))
	}
	s.releaseSlot = release
	return next()
}

// openMiniProgram reads the AppSecret, and makes the client of the MiniProgram.
func (r *ShipmentReconciler) openMiniProgram(ctx context.Context, s *shipment) progress {
	var err error
	s.account, err = r.MiniPrograms.Get(ctx, s.miniProgram)
	if problem, isProblem := account.AsProblem(err); isProblem {
		return r.wait(ctx, s, v1alpha1.ReasonMiniProgramNotReady, r.problemOf(s, problem.Message), again(r.Timing.SecretsCheck))
	}
	if err != nil {
		return failed(err)
	}
	return next()
}

// problemOf returns what is wrong with the MiniProgram; in another namespace only that something is
// wrong.
func (r *ShipmentReconciler) problemOf(s *shipment, message string) string {
	if s.miniProgram.Namespace == s.Namespace {
		return fmt.Sprintf("MiniProgram %s can't be used: %s", s.miniProgram.Name, message)
	}
	return fmt.Sprintf("MiniProgram %s in namespace %s can't be used now; its owner sees why in its condition Ready", s.miniProgram.Name, s.miniProgram.Namespace)
}

// awaitTurn uploads the Shipments of an Order one at a time, in the order of their creation: WeChat
// accepts the parts of a split delivery until the last one.
func (r *ShipmentReconciler) awaitTurn(ctx context.Context, s *shipment) progress {
	// Live, for one that was created before this one may not be in the cache yet.
	var all v1alpha1.ShipmentList
	if err := r.APIReader.List(ctx, &all, client.InNamespace(s.Namespace), client.MatchingFields{"spec.orderRef.name": s.Spec.OrderRef.Name}); err != nil {
		return failed(err)
	}
	present := slices.ContainsFunc(all.Items, func(other v1alpha1.Shipment) bool {
		return other.UID == s.UID && other.DeletionTimestamp == nil && !lifecycle.ShipmentFinal(&other)
	})
	if !present {
		return done() // it is gone, or another process has uploaded it
	}
	s.others = slices.DeleteFunc(all.Items, func(other v1alpha1.Shipment) bool { return other.UID == s.UID || other.DeletionTimestamp != nil })
	for _, earlier := range miniprogram.Before(s.Shipment, s.others) {
		switch {
		case !lifecycle.ShipmentFinal(&earlier):
			return r.show(ctx, s, metav1.ConditionUnknown, v1alpha1.ReasonWaitingForTurn, fmt.Sprintf(
				"Shipment %s of the same Order was created before this one and comes first; its condition Uploaded is %s", earlier.Name, lifecycle.UploadedReason(&earlier)), done())
		case lifecycle.IsUploaded(&earlier) && earlier.IsComplete():
			s.last = earlier.Name
		}
	}
	return next()
}

// wait shows what a Shipment waits for before WeChat is asked.
func (r *ShipmentReconciler) wait(ctx context.Context, s *shipment, reason, message string, end progress) progress {
	return r.show(ctx, s, metav1.ConditionFalse, reason, message, end)
}

// show writes the condition, and ends the reconcile.
func (r *ShipmentReconciler) show(ctx context.Context, s *shipment, status metav1.ConditionStatus, reason, message string, end progress) progress {
	err := r.record(ctx, s, func(shipment *v1alpha1.Shipment) {
		lifecycle.NotUploaded(shipment, status, reason, message, r.Clock.Now())
	})
	return afterWrite(err, end)
}

// record writes a change of the status.
func (r *ShipmentReconciler) record(ctx context.Context, s *shipment, change func(*v1alpha1.Shipment)) error {
	return record(ctx, &r.Base, s.Shipment, func(shipment *v1alpha1.Shipment) {
		change(shipment)
		if s.miniProgram != nil {
			shipment.Status.MiniProgram = s.miniProgram.Namespace + "/" + s.miniProgram.Name
		}
	})
}
